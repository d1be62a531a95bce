package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"spate/sql/syntax"
)

// declare gives variables of DECLARE their values.
func (s *Session) declare(ctx context.Context, d *syntax.Declare) error {
	for _, v := range d.Vars {
		name := lower(strings.TrimPrefix(v.Name, "@"))
		if _, ok := s.vars[name]; ok {
			return errorf(134, v.Loc(), "The variable name '%s' has already been declared.", v.Name)
		}
		typ, _, err := typeOf(v.Type)
		if err != nil {
			return err
		}
		p := Param{Type: typ}
		if v.Init != nil {
			if p.Value, err = s.evaluate(ctx, v.Init, typ); err != nil {
				return err
			}
		}
		if s.vars == nil {
			s.vars = map[string]Param{}
		}
		s.vars[name] = p
	}
	return nil
}

// assign carries out SET @v = e.
func (s *Session) assign(ctx context.Context, st *syntax.Set) error {
	name := lower(strings.TrimPrefix(st.Variable, "@"))
	p, ok := s.vars[name]
	if !ok {
		return errorf(137, st.Loc(), "Must declare the scalar variable \"%s\".", st.Variable)
	}
	v, err := s.evaluate(ctx, st.Expr, p.Type)
	if err != nil {
		return err
	}
	s.vars[name] = Param{Type: p.Type, Value: v}
	return nil
}

// evaluate computes an expression, in the engine unless it is a constant.
func (s *Session) evaluate(ctx context.Context, e syntax.Expr, typ Type) (Value, error) {
	b := s.binder(ctx)
	n, err := b.value(e, &env{})
	if err != nil {
		return Value{}, err
	}
	if n, err = b.convert(n, typ, castExplicit, e.Loc()); err != nil {
		return Value{}, err
	}
	if n.con != nil {
		return *n.con, nil
	}
	if n.null {
		return Value{}, nil
	}
	text := n.sql
	if typ.ID == UniqueIdentifier {
		text = "upper(CAST(" + text + " AS VARCHAR))"
	}
	r, req := &Result{}, &Request{Kinds: []Kind{typ.kind()}}
	if req.SQL, err = b.finish("SELECT "+text+" AS c1", req, &r.Stats); err != nil {
		return Value{}, err
	}
	if s.Engine == nil {
		return Value{}, fmt.Errorf("compute %s: the session has no engine", typ)
	}
	if err := r.start(ctx, s.Engine, req); err != nil {
		return Value{}, err
	}
	defer r.Close()
	row, err := r.Next()
	if err != nil {
		return Value{}, err
	}
	if _, err := r.Next(); err != nil && !errors.Is(err, io.EOF) {
		return Value{}, err
	}
	return row[0], nil
}
