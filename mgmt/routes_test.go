package mgmt

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// rightNames are what the page of the documentation says.
var rightNames = map[right]string{ // read-only
	nobody: "none", anyTag: "any tag", monitor: "monitoring", admin: "administrator", inVHost: "permission in the virtual host",
	watchVHost: "permission in the virtual host, or monitoring", policymaker: "policymaker",
}

// TestRoutesAreDocumented holds the table of docs/management.md to the routes.
func TestRoutesAreDocumented(t *testing.T) {
	raw, err := os.ReadFile("../docs/management.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, r := range routes {
		fmt.Fprintf(&want, "| %s | `%s` | %s |\n", r.method, r.path, rightNames[r.right])
	}
	if !strings.Contains(string(raw), want.String()) {
		t.Errorf("docs/management.md lacks this table:\n%s", want.String())
	}
}

// TestRoutes: no line stands twice, and none is hidden by one before it.
func TestRoutes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range routes {
		line := r.method + " " + r.path
		if seen[line] || r.handle == nil {
			t.Errorf("%s stands twice, or has no handler", line)
		}
		seen[line] = true
	}
	for _, e := range endpoints(routes) {
		if len(e.methods) == 0 || !strings.HasSuffix(e.allow, http.MethodOptions) {
			t.Errorf("%s allows %q", e.path, e.allow)
		}
	}
}
