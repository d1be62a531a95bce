package syntax

// Hoist returns a script with the steps of all WITH clauses in one WITH in
// front, the form that the Stream Analytics service documents. Statements that
// declare inputs come first. The trees of s are shared and not changed.
func Hoist(s *Script) *Script {
	out := &Script{Dialect: s.Dialect}
	with := &With{}
	var queries []Stmt
	for _, st := range s.Stmts {
		q, ok := st.(*QueryStmt)
		if !ok {
			out.Stmts = append(out.Stmts, st)
			continue
		}
		query := *q.Query
		if query.With != nil {
			with.Steps = append(with.Steps, query.With.Steps...)
			query.With = nil
		}
		queries = append(queries, &QueryStmt{q.Span, &query})
	}
	if len(queries) > 0 && len(with.Steps) > 0 {
		queries[0].(*QueryStmt).Query.With = with
	}
	out.Stmts = append(out.Stmts, queries...)
	return out
}
