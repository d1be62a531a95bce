package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// attemptTimeout bounds one call.
const attemptTimeout = 10 * time.Second

// webhook posts one event a request; the body is the event.
type webhook struct {
	r      Receiver
	client *http.Client
}

func newWebhook(r Receiver, o Options) *webhook {
	return &webhook{r: r, client: &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect}}
}

// checkRedirect follows up to 3 redirects that keep host and method and do not give up TLS.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || req.Method != first.Method || !strings.EqualFold(req.URL.Host, first.URL.Host) ||
		first.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}

func (h *webhook) limit() int { return 1 }

func (h *webhook) recover([]message) (int, int64, error) { return 0, 0, nil }

func (h *webhook) send(ctx context.Context, n *Notifier, ms []message) (int64, error) {
	m := &ms[0]
	// A call that is under way is finished: its reply is what tells whether to send again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	// The transport may read the body after the answer: it gets one of its own.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.r.URL, bytes.NewReader(bytes.Clone(m.body)))
	if err != nil {
		return -1, deadError{errors.New("the URL cannot be used")} // the error would print it
	}
	for name, value := range h.r.Headers {
		req.Header.Set(name, value)
	}
	id := n.o.Hub.ID()
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "spate")
	req.Header.Set("X-Spate-Delivery", fmt.Sprintf("%s-%s-%d-%d", n.o.Name, hex.EncodeToString(id[:4]), m.partition, m.offset))
	req.Header.Set("X-Spate-Hub", n.o.Hub.Name())
	req.Header.Set("X-Spate-Partition", strconv.Itoa(m.partition))
	req.Header.Set("X-Spate-Sequence-Number", strconv.FormatInt(m.offset, 10))
	req.Header.Set("X-Spate-Enqueued-Time", time.UnixMilli(m.enqueued).UTC().Format("2006-01-02T15:04:05.000Z"))
	if h.r.Secret != "" {
		mac := hmac.New(sha256.New, []byte(h.r.Secret))
		mac.Write(m.body)
		req.Header.Set("X-Spate-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := h.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL: it may hold a secret
		}
		return -1, fmt.Errorf("calling the webhook: %w", err)
	}
	defer resp.Body.Close()
	// The rest of the answer is read so that the connection can be used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)); err != nil {
		n.o.Log.Debug("answer was cut", "receiver", h.r.Name, "err", err)
	}
	return -1, verdict(resp, n.o.Clock())
}

// verdict is nil for a delivered event.
func verdict(resp *http.Response, now time.Time) error {
	code := resp.StatusCode
	err := fmt.Errorf("the webhook answered %s", resp.Status)
	switch {
	case code >= 200 && code < 300:
		return nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		if after := resp.Header.Get("Retry-After"); after != "" {
			if s, perr := strconv.Atoi(after); perr == nil && s >= 0 && s < 1<<20 {
				return laterError{err, time.Duration(s) * time.Second}
			}
			if t, perr := http.ParseTime(after); perr == nil {
				return laterError{err, t.Sub(now)}
			}
		}
		return err
	}
	return deadError{err}
}
