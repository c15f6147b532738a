// Package deploy checks what a node is shipped with: the image's contents, run
// without an engine as the image would run them, the systemd unit, and the
// contract that test containers and service managers rely on.
package deploy
