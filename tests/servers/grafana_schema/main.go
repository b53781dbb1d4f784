// Reads a dashboard as Grafana's own schema has it, and names all that it does not know.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = (&dashboard.Dashboard{}).UnmarshalJSONStrict(text)
	}
	// It returns an empty list of errors where there are none.
	if errs, is := err.(cog.BuildErrors); is && len(errs) == 0 {
		err = nil
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
