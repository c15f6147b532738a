//go:build !linux

package main

import "errors"

// forget cannot be done here without privilege.
func forget(string) error { return errors.New("the page cache can be dropped on Linux only") }
