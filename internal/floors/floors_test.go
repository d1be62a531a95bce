package floors

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath  string
	Imports     []string
	TestImports []string
	Standard    bool
}

type plan struct {
	floor  map[string]int      // package to number of its floor
	arrows map[string][]string // imports allowed within the floor
	apart  []string
	owners map[string][]string
}

func readPlan(t *testing.T) plan {
	f, err := os.Open("floors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := plan{floor: map[string]int{}, arrows: map[string][]string{}, owners: map[string][]string{}}
	floor := 0
	s := bufio.NewScanner(f)
	for s.Scan() {
		line, _, _ := strings.Cut(s.Text(), "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "floor":
			floor++
		case words[0] == "apart":
			p.apart = words[1:]
		case words[0] == "owner":
			p.owners[words[1]] = words[2:]
		default:
			p.floor[words[0]] = floor
			if len(words) > 2 {
				p.arrows[words[0]] = words[2:]
			}
		}
	}
	return p
}

func listPackages(t *testing.T) []goPackage {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,Standard", "spate/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(out); ; {
		var p goPackage
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsFollowThePlan(t *testing.T) {
	p := readPlan(t)
	for _, pkg := range listPackages(t) {
		name := short(pkg.ImportPath)
		if strings.HasPrefix(name, "internal/") || strings.HasPrefix(name, "examples") {
			continue
		}
		if _, ok := p.floor[name]; !ok {
			t.Errorf("package %s has no place in floors.txt", name)
			continue
		}
		for _, imp := range append(pkg.Imports, pkg.TestImports...) {
			if imp == "spate" || strings.HasPrefix(imp, "spate/") {
				p.house(t, name, short(imp))
			} else {
				p.foreign(t, name, imp)
			}
		}
	}
}

func short(path string) string {
	if path == "spate" {
		return path
	}
	return strings.TrimPrefix(path, "spate/")
}

func (p plan) house(t *testing.T, from, to string) {
	if strings.HasPrefix(to, "internal/") || strings.HasPrefix(to, "examples") || from == to {
		return
	}
	a, b := top(from), top(to)
	for _, x := range p.apart {
		for _, y := range p.apart {
			if x != y && a == x && b == y {
				t.Errorf("%s imports %s: stages do not know each other", from, to)
				return
			}
		}
	}
	if p.floor[to] < p.floor[from] {
		return
	}
	for _, ok := range p.arrows[from] {
		if ok == to {
			return
		}
	}
	t.Errorf("%s imports %s, which is not below it", from, to)
}

func top(name string) string {
	t, _, _ := strings.Cut(name, "/")
	return t
}

func (p plan) foreign(t *testing.T, from, imp string) {
	best := ""
	for module := range p.owners {
		if (imp == module || strings.HasPrefix(imp, module+"/")) && len(module) > len(best) {
			best = module
		}
	}
	if best == "" {
		return
	}
	for _, owner := range p.owners[best] {
		if owner == from {
			return
		}
	}
	t.Errorf("%s imports %s, which belongs to %s", from, imp, strings.Join(p.owners[best], " and "))
}
