package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// The forms of values. at is where a value is kept; nil: it is checked and has no effect.
// What is zero, and means by that what the default means, is not printed.

// shown is what is printed of a value of which zero says no more than no key does.
func shown[T any, V comparable](def V, at func(*T) *V) func(*Pipeline, *T) any {
	if at == nil {
		return nil
	}
	return func(_ *Pipeline, from *T) any {
		var zero V
		if v := *at(from); v != zero || def != zero {
			return v
		}
		return nil
	}
}

// put keeps v.
func put[T, V any](at func(*T) *V, to *T, v V) {
	if at != nil {
		*at(to) = v
	}
}

func text[T any](def string, at func(*T) *string) value[T] {
	return value[T]{Key{Form: FormText, Default: def},
		func(_ *loader, o *object, key string, to *T) { put(at, to, o.text(key, def)) }, shown(def, at)}
}

// name is text of the form that rule says.
func name[T any](rule nameRule, def string, at func(*T) *string) value[T] {
	return nameOr(rule, def, func(*loader) string { return def }, at)
}

// nameOr is a name whose default follows from others; says describes it.
func nameOr[T any](rule nameRule, says string, def func(*loader) string, at func(*T) *string) value[T] {
	return value[T]{Key{Form: FormName, Default: says, rule: rule},
		func(l *loader, o *object, key string, to *T) { put(at, to, o.name(key, def(l), rule)) }, shown("", at)}
}

func word[T any, S ~string](def S, at func(*T) *S, words ...string) value[T] {
	return value[T]{Key{Form: FormWord, Default: string(def), Words: words},
		func(_ *loader, o *object, key string, to *T) { put(at, to, S(o.oneOf(key, string(def), words...))) }, shown("", as[string](at))}
}

// as is at, read as another kind of text.
func as[V ~string, T any, S ~string](at func(*T) *S) func(*T) *V {
	if at == nil {
		return nil
	}
	return func(t *T) *V {
		v := V(*at(t))
		return &v
	}
}

// either is one of two words; the second is kept as true, and printed.
func either[T any](no, yes string, at func(*T) *bool) value[T] {
	return value[T]{Key{Form: FormWord, Default: no, Words: []string{no, yes}},
		func(_ *loader, o *object, key string, to *T) { *at(to) = o.oneOf(key, no, no, yes) == yes },
		func(_ *Pipeline, from *T) any {
			if *at(from) {
				return yes
			}
			return nil
		}}
}

// boolean is true or false; it is printed if it is not what it is by default.
func boolean[T any](def bool, at func(*T) *bool) value[T] {
	return value[T]{Key{Form: FormFlag, Default: strconv.FormatBool(def)},
		func(_ *loader, o *object, key string, to *T) { put(at, to, o.boolean(key, def)) },
		func(_ *Pipeline, from *T) any {
			if at != nil && *at(from) != def {
				return !def
			}
			return nil
		}}
}

// unless is a boolean that is true by default and kept as its opposite.
func unless[T any](at func(*T) *bool) value[T] {
	return value[T]{Key{Form: FormFlag, Default: "true"},
		func(_ *loader, o *object, key string, to *T) { *at(to) = !o.boolean(key, true) },
		func(_ *Pipeline, from *T) any {
			if *at(from) {
				return false
			}
			return nil
		}}
}

// integer is a number of low to high. A default of 0 below low is what the zero of the
// options means.
func integer[T any, N int | int64](def, low, high N, at func(*T) *N) value[T] {
	k := Key{Form: FormInteger, Low: int64(low), High: int64(high)}
	if def >= low {
		k.Default = strconv.FormatInt(int64(def), 10)
	}
	return value[T]{k,
		func(_ *loader, o *object, key string, to *T) {
			put(at, to, N(o.integer(key, int64(def), int64(low), int64(high))))
		}, shown(def, at)}
}

func duration[T any](def, low, high time.Duration, at func(*T) *time.Duration) value[T] {
	return value[T]{Key{Form: FormDuration, Low: int64(low), High: int64(high), Default: FormatDuration(def)},
		func(_ *loader, o *object, key string, to *T) { put(at, to, o.duration(key, def, low, high)) }, shown(def, at)}
}

func size[T any](def, low, high int64, at func(*T) *int64) value[T] {
	return value[T]{Key{Form: FormSize, Low: low, High: high, Default: formatSize(def)},
		func(_ *loader, o *object, key string, to *T) { put(at, to, o.size(key, def, low, high)) }, shown(def, at)}
}

// saying tells people of a default that is not what the options hold.
func saying[T any](def string, v value[T]) value[T] {
	v.Key.Default = def
	return v
}

// secret is text that must come from a reference.
func secret[T any](at func(*T) *string) value[T] {
	return value[T]{Key{Form: FormSecret},
		func(_ *loader, o *object, key string, to *T) { *at(to) = o.secret(key) },
		func(_ *Pipeline, from *T) any {
			if *at(from) != "" {
				return "***"
			}
			return nil
		}}
}

// port is a number, "off", or empty where the file says nothing.
func port[T any](def string, at func(*T) *string) value[T] {
	return value[T]{Key{Form: FormPort, Default: def, High: 65535, Words: []string{"off"}},
		func(_ *loader, o *object, key string, to *T) { *at(to) = o.port(key) }, shown("", at)}
}

// list is a list of text; each, if set, checks an entry.
func list[T any](at func(*T) *[]string, words ...string) value[T] {
	return value[T]{Key{Form: FormList, Words: words},
		func(_ *loader, o *object, key string, to *T) {
			for e, s := range o.texts(key) {
				if len(words) > 0 && !slices.Contains(words, s) {
					o.fail(e, "E206", didYouMean(s, words), "%q is not one of %s", s, strings.Join(words, ", "))
				}
				*at(to) = append(*at(to), s)
			}
		},
		func(_ *Pipeline, from *T) any { return *at(from) }}
}

// part is a map whose keys are read into what at gives. Without it they have their
// defaults. check, if set, looks at them together.
func part[T, P any](keys section[P], at func(*T) *P, check func(l *loader, o *object, of *P)) value[T] {
	return value[T]{Key{Form: FormMap, Keys: keys.keys()},
		func(l *loader, o *object, key string, to *T) {
			if m := o.child(key, true); m != nil {
				keys.read(l, m, at(to))
				if check != nil {
					check(l, m, at(to))
				}
			}
		},
		func(p *Pipeline, from *T) any { return keys.show(p, at(from)) }}
}

// optional is a map that, where it is missing, leaves what at gives as it is: zero, which
// is not printed.
func optional[T, P any](keys section[P], at func(*T) *P) value[T] {
	return value[T]{Key{Form: FormMap, Keys: keys.keys()},
		func(l *loader, o *object, key string, to *T) {
			if m := o.child(key, false); m != nil {
				keys.read(l, m, at(to))
			}
		},
		func(p *Pipeline, from *T) any {
			if reflect.ValueOf(at(from)).Elem().IsZero() {
				return nil
			}
			return keys.show(p, at(from))
		}}
}

// names is a map from names that the file chooses to maps of E.
type names[T, E any] struct {
	rule  nameRule // none: any name
	keys  section[E]
	at    func(*T) *[]E
	name  func(*E) *string
	title func(*E) string                            // as it is printed; nil: name
	begin func(l *loader, x *E)                      // before the keys are read; may be nil
	check func(l *loader, o *object, e *entry, x *E) // afterwards; may be nil
}

func (n names[T, E]) value() value[T] {
	return value[T]{Key{Form: FormNames, Keys: n.keys.keys(), rule: n.rule},
		func(l *loader, o *object, key string, to *T) {
			m := o.child(key, false)
			if m == nil {
				return
			}
			m.each(func(name string, e *entry) {
				if n.rule.form != nil {
					m.named(e, n.rule)
				}
				one := m.part(e)
				if one == nil {
					return
				}
				var x E
				*n.name(&x) = name
				if n.begin != nil {
					n.begin(l, &x)
				}
				n.keys.read(l, one, &x)
				if n.check != nil {
					n.check(l, one, e, &x)
				}
				*n.at(to) = append(*n.at(to), x)
			})
		},
		func(p *Pipeline, from *T) any {
			out := &fields{}
			for i := range *n.at(from) {
				x := &(*n.at(from))[i]
				title := *n.name(x)
				if n.title != nil {
					title = n.title(x)
				}
				out.always(title, n.keys.show(p, x))
			}
			return out
		}}
}

// listOf is a list of maps of E. check, if set, looks at each.
func listOf[T, E any](keys section[E], at func(*T) *[]E, check func(l *loader, o *object, to *T, x *E)) value[T] {
	return value[T]{Key{Form: FormMaps, Keys: keys.keys()},
		func(l *loader, o *object, key string, to *T) {
			o.list(key, func(e *entry) {
				one := o.r.object(e.value, join(o.path, key))
				if one == nil {
					return
				}
				var x E
				keys.read(l, one, &x)
				check(l, one, to, &x)
				*at(to) = append(*at(to), x)
			})
		},
		func(p *Pipeline, from *T) any {
			var out []yaml.MapSlice
			for i := range *at(from) {
				out = append(out, keys.show(p, &(*at(from))[i]).items)
			}
			return out
		}}
}

// texts is a map from any name to text.
func texts[T any](read func(to *T, name, text string), show func(from *T) *fields) value[T] {
	return value[T]{Key{Form: FormTexts},
		func(_ *loader, o *object, key string, to *T) {
			if m := o.child(key, false); m != nil {
				m.each(func(name string, e *entry) {
					if s, ok := m.textOf(e); ok {
						read(to, name, s)
					}
				})
			}
		},
		func(_ *Pipeline, from *T) any { return show(from) }}
}

// hubOf is the name of a hub that must be there.
func hubOf[T any](at func(*T) *string) value[T] {
	v := text("", at)
	v.read = func(l *loader, o *object, key string, to *T) {
		if e := o.take(key); e != nil {
			if s, ok := o.textOf(e); ok {
				*at(to) = s
				l.needHub(o, e, s)
			}
		}
	}
	return v
}

// tableOf is the name of a table that must be there.
func tableOf[T any](at func(*T) *string) value[T] {
	v := text("", at)
	v.read = func(l *loader, o *object, key string, to *T) {
		if e := o.take(key); e != nil {
			if s, ok := o.textOf(e); ok {
				*at(to) = s
				l.needTable(o, e, s)
			}
		}
	}
	return v
}
