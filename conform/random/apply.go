package random

import "fmt"

// applied puts an APPLY behind a scope, now and then one more, which may take apart what
// the first makes. A scope without anything to take apart stays as it is.
func (g *generator) applied(sc scope) scope {
	out := g.apply(sc)
	if g.chance(30) {
		out = g.apply(out)
	}
	return out
}

func (g *generator) apply(sc scope) scope {
	type choice struct {
		call  string
		parts [2]field
	}
	elements := func(of string, value class) choice {
		return choice{"GetArrayElements(" + of + ")", [2]field{{"ArrayIndex", number, true}, {"ArrayValue", value, false}}}
	}
	properties := func(of string) choice {
		return choice{"GetRecordProperties(" + of + ")", [2]field{{"PropertyName", text, true}, {"PropertyValue", mixed, false}}}
	}
	var choices []choice
	for _, f := range sc.fields {
		switch f.class {
		case array:
			choices = append(choices, elements(f.name, mixed), elements(f.name, mixed))
		case nested:
			choices = append(choices, elements(f.name, part), elements(f.name, part))
		case record:
			choices = append(choices, properties(f.name))
		case part:
			choices = append(choices, elements("TRY_CAST("+f.name+" AS array)", part), properties("TRY_CAST("+f.name+" AS record)"))
		}
	}
	if g.failing && g.chance(20) {
		any := "CASE WHEN 0 = 0 THEN " + g.named(sc, mixed, "1") + " WHEN 0 = 1 THEN 'x' ELSE 1 END" // whose type is not known
		choices = append(choices, elements(any, mixed), elements(g.named(sc, part, g.named(sc, array, "NULL")), part), properties(g.named(sc, nested, "NULL")))
	}
	if len(choices) == 0 {
		return sc
	}
	c := pick(g, choices...)
	g.applies++
	alias := fmt.Sprintf("e%d", g.applies)
	out := sc
	if sc.sides == nil && sc.events == nil {
		out.events = &sc
	}
	out.from += fmt.Sprintf(" %s APPLY %s %s%s", pick(g, "CROSS", "CROSS", "OUTER"), c.call, pick(g, "AS ", ""), alias)
	out.fields = append([]field(nil), sc.fields...)
	for _, f := range c.parts {
		f.name = alias + "." + f.name
		out.fields = append(out.fields, f)
	}
	return out
}
