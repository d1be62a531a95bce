package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Site is the pipeline's names, as resource ids need them.
type Site struct {
	Subscription string   `json:"subscription"`
	Group        string   `json:"resourceGroup"`
	Pipeline     string   `json:"pipeline"`
	Namespace    string   `json:"namespace"` // of Event Hubs
	Location     string   `json:"location"`
	Hubs         []string `json:"hubs"`
	Jobs         []string `json:"jobs"`
	Captures     []string `json:"captures,omitempty"` // the jobs that capture hubs; only meant when named
}

// siteFile keeps the Site beside the history, for reading without the pipeline file.
const siteFile = "site.json"

func (s *Site) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(dir, siteFile+".new")
	if err := os.WriteFile(tmp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, siteFile))
}

func (s *Site) load(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, siteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, s); err != nil {
		return fmt.Errorf("reading %s: %w", siteFile, err)
	}
	return nil
}

// resource is what metrics are asked of.
type resource struct {
	namespace string // of metrics
	id        string
	label     string // series must have this dimension
	value     string // with this value; empty: any
}

// Error is a refused query; Code and Status are the service's.
type Error struct {
	Status  int
	Code    string
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

func badRequest(format string, args ...any) error {
	return &Error{400, "BadRequest", fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) error {
	return &Error{404, "ResourceNotFound", fmt.Sprintf(format, args...)}
}

func (s *Site) group() string {
	return "/subscriptions/" + s.Subscription + "/resourceGroups/" + s.Group + "/providers/"
}

// find resolves what a person or a client names: namespace, eventhub/NAME, job/NAME,
// pipeline, or a resource id with any subscription. Without a name the metrics
// decide: the only job, or the namespace.
func (s *Site) find(name string, metrics []string) (resource, error) {
	space := resource{namespace: EventHubs, id: s.group() + EventHubs + "/" + s.Namespace}
	if name == "" {
		switch NamespaceOf(first(metrics)) {
		case EventHubs:
			return space, nil
		case Jobs:
			if len(s.Jobs) != 1 {
				return resource{}, badRequest("there are %d jobs, name one: job/%s", len(s.Jobs), strings.Join(s.Jobs, ", job/"))
			}
			return s.job(s.Jobs[0])
		}
		name = "pipeline"
	}
	if strings.HasPrefix(name, "/") {
		return s.byID(name)
	}
	kind, rest, _ := strings.Cut(name, "/")
	switch strings.ToLower(kind) {
	case "namespace":
		return space, nil
	case "pipeline":
		return resource{namespace: Pipelines, id: s.group() + Pipelines + "/" + s.Pipeline}, nil
	case "job":
		return s.job(rest)
	case "eventhub":
		i := slices.IndexFunc(s.Hubs, func(h string) bool { return strings.EqualFold(h, rest) })
		if i < 0 {
			return resource{}, notFound("there is no hub %q", rest)
		}
		space.label, space.value = "EntityName", s.Hubs[i]
		return space, nil
	}
	return resource{}, badRequest("%q is not a resource: want namespace, eventhub/NAME, job/NAME, pipeline or a resource id", name)
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

func (s *Site) job(name string) (resource, error) {
	all := slices.Concat(s.Jobs, s.Captures)
	i := slices.IndexFunc(all, func(j string) bool { return strings.EqualFold(j, name) })
	if i < 0 {
		return resource{}, notFound("there is no job %q", name)
	}
	return resource{namespace: Jobs, id: s.group() + Jobs + "/" + all[i], label: jobLabel, value: all[i]}, nil
}

// jobLabel is the dimension that names the job in the recorder. To Azure it is the
// resource and no dimension.
const jobLabel = "JobName"

// byID reads /subscriptions/S/resourceGroups/G/providers/P/T/NAME. Any subscription
// and group is taken: there is one pipeline here.
func (s *Site) byID(id string) (resource, error) {
	parts := strings.Split(strings.Trim(id, "/"), "/")
	if len(parts) != 8 || !strings.EqualFold(parts[0], "subscriptions") || !strings.EqualFold(parts[2], "resourceGroups") ||
		!strings.EqualFold(parts[4], "providers") {
		return resource{}, badRequest("%q is not a resource id", id)
	}
	kind, name := parts[5]+"/"+parts[6], parts[7]
	switch {
	case strings.EqualFold(kind, EventHubs) && strings.EqualFold(name, s.Namespace):
		return resource{namespace: EventHubs, id: id}, nil
	case strings.EqualFold(kind, Jobs):
		r, err := s.job(name)
		r.id = id
		return r, err
	case strings.EqualFold(kind, Pipelines) && strings.EqualFold(name, s.Pipeline):
		return resource{namespace: Pipelines, id: id}, nil
	}
	return resource{}, notFound("The Resource '%s/%s' under resource group '%s' was not found.", kind, name, parts[3])
}

// has says whether a series belongs to the resource.
func (r *resource) has(s *Series) bool {
	if r.label == "" {
		return true
	}
	v, ok := s.Label(r.label)
	return ok && strings.EqualFold(v, r.value)
}
