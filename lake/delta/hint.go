package delta

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// hint is the content of _last_checkpoint.
type hint struct {
	Version     int64  `json:"version"`
	Size        int64  `json:"size"` // actions
	SizeInBytes int64  `json:"sizeInBytes,omitempty"`
	NumAddFiles int64  `json:"numOfAddFiles,omitempty"`
	Checksum    string `json:"checksum,omitempty"`
}

const hintName = "_last_checkpoint"

// readHint returns ok only for a hint that is whole. It may still be stale.
func (t *Table) readHint(ctx context.Context) (hint, bool) {
	data, err := t.read(ctx, t.logKey(hintName))
	if err != nil {
		return hint{}, false
	}
	var h hint
	if json.Unmarshal(data, &h) != nil || h.Version < 0 {
		return hint{}, false
	}
	if h.Checksum != "" {
		if sum, err := hintChecksum(data); err != nil || sum != h.Checksum {
			return hint{}, false
		}
	}
	return h, true
}

func (t *Table) writeHint(ctx context.Context, h hint) error {
	h.Checksum = ""
	sum, err := hintChecksum(marshal(h))
	if err != nil {
		return err
	}
	h.Checksum = sum
	// Hadoop checks its hidden side file against a hint on local paths.
	if err := t.store.Delete(ctx, t.logKey("._last_checkpoint.crc")); err != nil {
		return err
	}
	_, err = t.store.Replace(ctx, t.logKey(hintName), bytes.NewReader(marshal(h)))
	return err
}

// hintChecksum is the MD5 of the canonical form of the document.
func hintChecksum(data []byte) (string, error) {
	canonical, err := canonicalJSON(data, "checksum")
	if err != nil {
		return "", err
	}
	sum := md5.Sum([]byte(canonical))
	return hex.EncodeToString(sum[:]), nil
}

// canonicalJSON writes an object as path=value pairs in the order of the paths,
// leaving out the member called without.
func canonicalJSON(data []byte, without string) (string, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var pairs []string
	var walk func(path string) error
	walk = func(path string) error {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		join := func(seg string) string {
			if path == "" {
				return seg
			}
			return path + "+" + seg
		}
		leaf := func(v string) { pairs = append(pairs, path+"="+v) }
		switch v := tok.(type) {
		case json.Delim:
			seen := map[string]bool{}
			for i := 0; d.More(); i++ {
				seg := fmt.Sprint(i)
				if v == '{' {
					k, err := d.Token()
					if err != nil {
						return err
					}
					name, _ := k.(string)
					if seen[name] {
						return fmt.Errorf("member %q comes twice", name)
					}
					seen[name] = true
					if path == "" && name == without {
						var skip json.RawMessage
						if err := d.Decode(&skip); err != nil {
							return err
						}
						continue
					}
					seg = quoted(name)
				}
				if err := walk(join(seg)); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		case string:
			leaf(quoted(v))
		case json.Number:
			leaf(v.String())
		case bool:
			leaf(fmt.Sprint(v))
		case nil:
			leaf("null")
		}
		return nil
	}
	if err := walk(""); err != nil {
		return "", fmt.Errorf("canonical JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", fmt.Errorf("canonical JSON: text behind the document")
	}
	slices.SortFunc(pairs, func(a, b string) int {
		pa, _, _ := strings.Cut(a, "=")
		pb, _, _ := strings.Cut(b, "=")
		return strings.Compare(pa, pb)
	})
	return strings.Join(pairs, ","), nil
}

func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
