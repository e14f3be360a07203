package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"strings"
)

//go:embed page
var assets embed.FS

// HTML writes a page about run, in one file that asks for nothing else: figures,
// charts, and where others are given how they stand to run, in the same charts.
// What a server said is shown in it as text, whatever it was. A histogram that
// cannot be decoded is an error.
func HTML(w io.Writer, run Run, others ...Run) error {
	runs := []Run{{run.Name, finite(run.Report)}}
	for _, other := range others {
		runs = append(runs, Run{other.Name, finite(other.Report)})
	}
	p, err := newPage(runs)
	if err != nil {
		return err
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"clean": clean,
		"value": Value,
		"count": func(n int) string { return Value(float64(n), Count) },
		"void": func(f Figure) bool {
			_, void := p.Report.VoidFor(f)
			return void
		},
	}).ParseFS(assets, "page/page.html")
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

// page is what the template shows.
type page struct {
	Policy     string
	Style      template.CSS
	Script     template.JS
	Title      string
	Name       string
	Report     *Report
	About      string
	Verdicts   []verdict
	Tiles      []tile
	Comparison *comparison
	Columns    int // of the comparison
	Sections   []section
	Command    string
	Host       Host
	Data       struct {
		Charts []chart `json:"charts"`
	}
}

func newPage(runs []Run) (*page, error) {
	r := runs[0].Report
	p := &page{
		Title: clean("pushd loadgen " + r.Scenario + " " + strings.Join(r.Targets, " ")),
		Name:  runs[0].name(), Report: r, About: about(r), Host: r.Host,
		Verdicts: verdicts(r), Tiles: tiles(r), Sections: sections(r.Figures), Command: shell(r.Command),
	}
	var err error
	if p.Data.Charts, err = charts(runs); err != nil {
		return nil, err
	}
	if len(runs) > 1 {
		c := compare(runs)
		p.Comparison, p.Columns = &c, 2*len(runs)
	}
	style, err := together("page/vendor/uplot/uPlot.min.css", "page/page.css")
	if err != nil {
		return nil, err
	}
	licence, err := together("page/vendor/uplot/LICENSE") // goes wherever uPlot goes
	if err != nil {
		return nil, err
	}
	script, err := together("page/vendor/uplot/uPlot.iife.min.js", "page/value.js", "page/page.js")
	if err != nil {
		return nil, err
	}
	script = "/* uPlot:\n" + licence + "*/\n" + script
	p.Style, p.Script = template.CSS(style), template.JS(script)
	// Nothing from anywhere, and only this style and this script: what got past the escaping would not run.
	p.Policy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
		digest(style), digest(script))
	return p, nil
}

func together(names ...string) (string, error) {
	var s strings.Builder
	for _, name := range names {
		b, err := assets.ReadFile(name)
		if err != nil {
			return "", err
		}
		s.Write(b)
	}
	return s.String(), nil
}

// digest is how a Content-Security-Policy names a text.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// verdict is a sentence that a reader must not miss.
type verdict struct {
	Class string // good, bad, warn or ""
	Word  string
	Text  string
}

// verdicts says whether to believe the run, and whether it did what it was to.
func verdicts(r *Report) []verdict {
	var all []verdict
	for _, v := range r.Void {
		all = append(all, verdict{"warn", "VOID.", "Do not believe " + voided(v) + ": " + v.Why})
	}
	if r.Ended != "" {
		all = append(all, verdict{"warn", "Ended early:", r.Ended})
	}
	failed := 0
	for _, e := range r.Expectations {
		if !e.Met {
			failed++
		}
	}
	switch n := len(r.Expectations); {
	case failed > 0:
		all = append(all, verdict{"bad", "FAILED.", fmt.Sprintf("%d of %d expectations not met.", failed, n)})
	case n > 0:
		all = append(all, verdict{"good", "Passed.", fmt.Sprintf("All expectations met: %d.", n)})
	case r.Ended == "":
		all = append(all, verdict{"", "Complete.", "It ran for " + Value(r.Seconds, Seconds) + ", to its end."})
	}
	return all
}

// tile is a figure written large.
type tile struct {
	Label, Value string
	Void         bool
}

// tiles are what was expected something of, and then the first figure of each
// section: six at most.
func tiles(r *Report) []tile {
	var all []tile
	seen := map[string]bool{}
	add := func(f Figure) {
		if len(all) < 6 && !seen[f.Name] {
			seen[f.Name] = true
			_, void := r.VoidFor(f)
			all = append(all, tile{clean(f.Label), Value(f.Value, f.Unit), void})
		}
	}
	for _, e := range r.Expectations {
		if c, err := ParseExpectation(e.Text); err == nil {
			if f, ok := r.Figure(c.figure); ok {
				add(f)
			}
		}
	}
	for _, s := range sections(r.Figures) {
		add(s.Figures[0])
	}
	return all
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shell writes a command so that a shell takes it as it was.
func shell(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if !plain.MatchString(arg) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
