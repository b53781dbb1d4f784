// Reads a dashboard, a group of alert rules, or requests and their answers as Grafana's own schemas have them, and
// names all that these do not know.
//
//	grafana_schema < dashboard.json
//	grafana_schema rules < group.json
//	grafana_schema exchanges < exchanges.jsonl
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-foundation-sdk/go/alerting"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-openapi-client-go/models"
)

func main() {
	plugins.RegisterDefaultPlugins()
	kind := "dashboard"
	if len(os.Args) > 1 {
		kind = os.Args[1]
	}
	if err := check(kind, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(kind string, input io.Reader) error {
	if kind == "exchanges" {
		return checkExchanges(input)
	}
	text, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	switch kind {
	case "dashboard":
		err = (&dashboard.Dashboard{}).UnmarshalJSONStrict(text)
	case "rules":
		err = (&alerting.RuleGroup{}).UnmarshalJSONStrict(text)
	default:
		return fmt.Errorf("there is no schema %q", kind)
	}
	// It returns an empty list of errors where there are none.
	if errs, is := err.(cog.BuildErrors); is && len(errs) == 0 {
		return nil
	}
	return err
}

type exchange struct {
	Method string
	Path   string
	Body   string
	Status int
	Answer string
}

type model interface {
	Validate(formats strfmt.Registry) error
}

// What the document of the API has about one kind of request. The answer is that of status 200.
type operation struct {
	method, path string
	body, answer func() model
}

type list[M any, P interface {
	*M
	model
}] []M

func (l list[M, P]) Validate(formats strfmt.Registry) error {
	for index := range l {
		if err := P(&l[index]).Validate(formats); err != nil {
			return err
		}
	}
	return nil
}

var operations = []operation{
	{"GET", `/api/health`, nil, func() model { return &models.HealthResponse{} }},
	{"GET", `/api/folders`, nil, func() model { return &list[models.FolderSearchHit, *models.FolderSearchHit]{} }},
	{"POST", `/api/folders`, func() model { return &models.CreateFolderCommand{} }, func() model { return &models.Folder{} }},
	{"GET", `/api/folders/[^/]+`, nil, func() model { return &models.Folder{} }},
	{"PUT", `/api/folders/[^/]+`, func() model { return &models.UpdateFolderCommand{} }, func() model { return &models.Folder{} }},
	{"GET", `/api/datasources/(uid|name)/[^/]+`, nil, func() model { return &models.DataSource{} }},
	{"POST", `/api/datasources`, func() model { return &models.AddDataSourceCommand{} }, func() model { return &models.AddDataSourceOKBody{} }},
	{"PUT", `/api/datasources/uid/[^/]+`, func() model { return &models.UpdateDataSourceCommand{} }, func() model { return &models.UpdateDataSourceByUIDOKBody{} }},
	{"GET", `/api/dashboards/uid/[^/]+`, nil, func() model { return &models.DashboardFullWithMeta{} }},
	{"GET", `/api/dashboards/uid/[^/]+/versions`, nil, func() model { return &models.DashboardVersionResponseMeta{} }},
	{"POST", `/api/dashboards/db`, func() model { return &models.SaveDashboardCommand{} }, func() model { return &models.PostDashboardOKBody{} }},
	{"POST", `/api/v1/provisioning/alert-rules`, func() model { return &models.ProvisionedAlertRule{} }, func() model { return &models.ProvisionedAlertRule{} }},
	{"GET", `/api/v1/provisioning/alert-rules/[^/]+`, nil, func() model { return &models.ProvisionedAlertRule{} }},
	{"GET", `/api/v1/provisioning/folder/[^/]+/rule-groups/[^/]+`, nil, func() model { return &models.AlertRuleGroup{} }},
	{"PUT", `/api/v1/provisioning/folder/[^/]+/rule-groups/[^/]+`, func() model { return &models.AlertRuleGroup{} }, func() model { return &models.AlertRuleGroup{} }},
}

func checkExchanges(input io.Reader) error {
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one exchange
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		if err := one.check(); err != nil {
			return fmt.Errorf("%s %s: %w", one.Method, one.Path, err)
		}
	}
	return lines.Err()
}

func (one exchange) check() error {
	for _, known := range operations {
		if one.Method != known.method || !regexp.MustCompile("^"+known.path+"$").MatchString(one.Path) {
			continue
		}
		if known.body == nil && one.Body != "" {
			return fmt.Errorf("it has a body")
		}
		if known.body != nil {
			if err := strictly(one.Body, known.body()); err != nil {
				return fmt.Errorf("the request: %w", err)
			}
		}
		if one.Status == 200 || one.Status == 201 {
			if err := strictly(one.Answer, known.answer()); err != nil {
				return fmt.Errorf("the answer: %w", err)
			}
		}
		return nil
	}
	return fmt.Errorf("the API has no such operation")
}

func strictly(text string, into model) error {
	decoder := json.NewDecoder(bytes.NewBufferString(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	return into.Validate(strfmt.Default)
}
