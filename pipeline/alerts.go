package pipeline

// ActionGroup is a named list of receivers.
type ActionGroup struct {
	Name      string
	ShortName string // at most 12 characters; default Name, cut
	Disabled  bool
	Receivers []Receiver
}

// Receiver is told about alerts: one of Webhook and File is set.
type Receiver struct {
	Name    string
	Webhook string // http or https URL; a secret
	File    string // JSON lines are appended
	Headers map[string]string
	Secret  string // signs webhook bodies: X-Spate-Signature
}

// Notify sends every event of a hub to action groups.
type Notify struct {
	Name         string
	Hub          string
	ActionGroups []string
}
