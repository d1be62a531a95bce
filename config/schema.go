package config

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// schema is the part of JSON Schema, draft 2020-12, that a pipeline file needs.
type schema struct {
	Schema        string             `json:"$schema,omitempty"`
	Ref           string             `json:"$ref,omitempty"`
	Title         string             `json:"title,omitempty"`
	Description   string             `json:"description,omitempty"`
	Default       any                `json:"default,omitempty"`
	Type          any                `json:"type,omitempty"`
	Enum          []any              `json:"enum,omitempty"`
	Pattern       string             `json:"pattern,omitempty"`
	MaxLength     int64              `json:"maxLength,omitempty"`
	Minimum       *int64             `json:"minimum,omitempty"`
	Maximum       *int64             `json:"maximum,omitempty"`
	AnyOf         []*schema          `json:"anyOf,omitempty"`
	Items         *schema            `json:"items,omitempty"`
	PropertyNames *schema            `json:"propertyNames,omitempty"`
	Properties    map[string]*schema `json:"properties,omitempty"`
	Additional    any                `json:"additionalProperties,omitempty"` // a schema, or false
	Required      []string           `json:"required,omitempty"`
	Defs          map[string]*schema `json:"$defs,omitempty"`
}

// Schema writes the JSON Schema of pipeline files, for editors. It says less than Load:
// what depends on several keys, on other files or on the script is not in it.
func Schema(w io.Writer) error {
	s := mapSchema(Keys())
	s.Type = "object"
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Pipeline file of Spate, version 1"
	s.Defs = map[string]*schema{
		"reference": {Type: "string", Pattern: `\$\{(env|file|keyvault):`, Description: "Text with a reference: ${env:NAME}, ${env:NAME:-default}, ${file:PATH}."},
		"duration":  {Type: "string", Pattern: `^(0|([0-9]+(ms|s|m|h|d))+|[Pp]([0-9]+[Dd])?([Tt]([0-9]+[Hh])?([0-9]+[Mm])?([0-9]+[Ss])?)?)$`},
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(s); err != nil {
		return fmt.Errorf("writing the schema: %w", err)
	}
	return nil
}

// mapSchema is a map of keys. One that holds nothing may be left empty.
func mapSchema(keys []Key) *schema {
	s := &schema{Type: []string{"object", "null"}, Properties: map[string]*schema{}, Additional: false}
	for _, k := range keys {
		s.Properties[k.Name] = keySchema(k)
		if k.Required {
			s.Required = append(s.Required, k.Name)
		}
	}
	return s
}

func keySchema(k Key) *schema {
	s := formSchema(k)
	s.Description = strings.TrimSpace(k.About + " " + changeSays[k.Change])
	if _, err := strconv.ParseInt(k.Default, 10, 64); err == nil || k.Form == FormFlag {
		s.Default = json.RawMessage(k.Default)
	} else if k.Form == FormWord && k.Default != "" {
		s.Default = k.Default
	}
	return s
}

// changeSays is what the description of a key says of its changes.
var changeSays = map[Change]string{
	ChangeLive:  "A running pipeline takes a change over.",
	ChangeGrow:  "A running pipeline takes more over; fewer are refused.",
	ChangeStart: "A change waits for the next start.",
	ChangeNew:   "A change counts for a job that has no checkpoint yet.",
	ChangeNever: "A change is refused where there is a checkpoint, or the table, already.",
}

func formSchema(k Key) *schema {
	texts := func() *schema {
		switch {
		case len(k.Words) > 0:
			return &schema{Enum: literals(k.Words)}
		case k.rule.form != nil:
			return orReference(&schema{Type: "string", Pattern: k.rule.form.String()})
		}
		return &schema{Type: "string", MaxLength: k.High}
	}
	switch k.Form {
	case FormWord:
		words := []*schema{{Enum: literals(k.Words)}}
		if len(k.Keys) > 0 {
			words = append(words, mapSchema(k.Keys))
		}
		return orReference(words...)
	case FormFlag:
		if len(k.Words) > 0 {
			return &schema{Enum: []any{json.RawMessage(k.Words[0])}}
		}
		return &schema{Type: "boolean"}
	case FormInteger:
		return orReference(between(k))
	case FormDuration:
		forms := []*schema{{Ref: "#/$defs/duration"}}
		if words := slices.DeleteFunc(slices.Clone(k.Words), func(w string) bool { return w == "0" }); len(words) > 0 {
			forms = append(forms, &schema{Enum: literals(words)})
		}
		if k.Low == 0 || slices.Contains(k.Words, "0") {
			forms = append(forms, &schema{Enum: []any{0}})
		}
		return orReference(forms...)
	case FormSize:
		return orReference(between(k), &schema{Type: "string", Pattern: "^[0-9]+ *(B|KB|MB|GB|KiB|MiB|GiB)?$"})
	case FormTime:
		return orReference(&schema{Type: "string", Pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$"})
	case FormPort:
		return orReference(between(k), &schema{Enum: append(literals(k.Words), false)}, &schema{Type: "string", Pattern: "^[0-9]{1,5}$"})
	case FormSecret:
		return orReference(&schema{Enum: []any{"SAS_KEY_VALUE"}})
	case FormList:
		return &schema{Type: "array", Items: texts()}
	case FormTexts:
		s := &schema{Type: []string{"object", "null"}, Additional: &schema{Type: "string"}}
		if len(k.Words) > 0 {
			s.Additional = orReference(&schema{Enum: literals(k.Words)}, &schema{Type: "string", Pattern: typePattern()})
		}
		return s
	case FormRows:
		rows := &schema{Type: "array", Items: &schema{Type: "object"}}
		more := &schema{Type: "object", Properties: map[string]*schema{}, Additional: false}
		for _, w := range k.Words {
			more.Properties[w] = &schema{}
		}
		return &schema{Type: []string{"object", "null"}, Additional: orReference(&schema{Type: "string"}, rows, more)}
	case FormCounts:
		s := &schema{Type: []string{"object", "null"}, Additional: orReference(&schema{Type: "integer", Minimum: new(int64)})}
		if len(k.Words) > 0 {
			s.PropertyNames = &schema{Enum: literals(k.Words)}
		}
		return s
	case FormMap:
		return mapSchema(k.Keys)
	case FormNames:
		s := &schema{Type: []string{"object", "null"}, Additional: mapSchema(k.Keys)}
		if k.rule.form != nil {
			s.PropertyNames = &schema{Pattern: k.rule.form.String()}
		}
		return s
	case FormMaps:
		return &schema{Type: "array", Items: mapSchema(k.Keys)}
	}
	return texts()
}

func between(k Key) *schema { return &schema{Type: "integer", Minimum: &k.Low, Maximum: &k.High} }

func orReference(forms ...*schema) *schema {
	return &schema{AnyOf: append(forms, &schema{Ref: "#/$defs/reference"})}
}

// literals are words as YAML may have read them: true, false and numbers too.
func literals(words []string) []any {
	var out []any
	for _, w := range words {
		out = append(out, w)
		if _, err := strconv.ParseFloat(w, 64); err == nil || w == "true" || w == "false" {
			out = append(out, json.RawMessage(w))
		}
	}
	return out
}

// typePattern fits the words for types of columns, in any case.
func typePattern() string {
	var words []string
	for _, w := range slices.Sorted(maps.Keys(columnTypes)) {
		var b strings.Builder
		for _, r := range w {
			fmt.Fprintf(&b, "[%c%c]", r, r|0x20)
		}
		words = append(words, b.String())
	}
	return "^(" + strings.Join(words, "|") + ")$"
}
