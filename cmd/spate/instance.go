package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"spate/config"
	"spate/console"
	"spate/monitor"
)

// instance is a running instance, or the data folder of one that ran.
type instance struct {
	dir     string // data folder; empty: only the address is known
	address string // of the console; empty: none is known
	token   string
}

// instance is the one that the flags name.
func (a *app) instance() (instance, error) {
	if a.address != "" {
		return instance{dir: a.data, address: strings.TrimSuffix(a.address, "/"), token: a.token}, nil
	}
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return instance{}, err
	}
	i := instance{dir: p.Options.Dir, token: a.token}
	if known, err := console.ReadInstance(i.dir); err == nil && known.Addresses["console"] != "" {
		i.address = "http://" + known.Addresses["console"]
		if i.token == "" {
			i.token = known.Token
		}
	}
	return i, nil
}

// running is an instance that is to answer.
func (a *app) running() (instance, error) {
	i, err := a.instance()
	if err == nil && i.address == "" {
		err = withCode(noConnection, fmt.Errorf("no instance runs on %s: start it with spate up, or name one with --address", shortPath(i.dir)))
	}
	return i, err
}

// call asks the console and decodes its answer.
func (i instance) call(ctx context.Context, method, path string, timeout time.Duration, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, i.address+path, nil)
	if err != nil {
		return withCode(usage, fmt.Errorf("--address: %w", err))
	}
	if i.token != "" {
		req.Header.Set("Authorization", "Bearer "+i.token)
	}
	resp, err := (&http.Client{Timeout: timeout}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(body, &e); err != nil || e.Error.Message == "" {
			return fmt.Errorf("%s answered %s", i.address, resp.Status)
		}
		return &monitor.Error{Status: resp.StatusCode, Code: e.Error.Code, Message: e.Error.Message}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", i.address, err)
	}
	return nil
}

// answerCode gives the error of a call its exit code.
func answerCode(err error) error {
	var e *monitor.Error
	var lost *url.Error
	switch {
	case errors.As(err, &lost):
		return withCode(noConnection, err)
	case !errors.As(err, &e):
		return err
	case e.Status == http.StatusNotFound:
		return withCode(notFound, err)
	case e.Status == http.StatusUnauthorized:
		return withCode(unauthorized, err)
	case e.Status == http.StatusBadRequest:
		return withCode(usage, err)
	}
	return withCode(failed, err)
}
