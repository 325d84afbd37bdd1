package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekeyhq/rekey/internal/app"
)

func TestALongListIsShownAScreenAtATimeInEightyColumns(t *testing.T) {
	t.Parallel()
	l := &page{}
	for i := range 40 {
		c := app.Choice{ID: fmt.Sprintf("id-%02d", i), Name: strings.Repeat("né", 30) + fmt.Sprint(i), About: []app.About{{Name: "about", Text: strings.Repeat("long ", 40)}}}
		if i%4 == 0 {
			c.Unfit = strings.Repeat("for a reason ", 20)
		}
		l.all = append(l.all, c)
	}
	l.filter("")
	numbers := 0
	for {
		text := l.text()
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) > screen+1 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n >= columns {
				t.Errorf("%d columns: %s", n, line)
			}
			if n, ok := number(strings.Fields(line)[0]); ok {
				if numbers++; n != numbers {
					t.Errorf("number %d is shown as %d", numbers, n)
				}
			}
		}
		if !l.more() {
			break
		}
		l.from += screen
	}
	if numbers != 30 || numbers != len(l.fit) {
		t.Errorf("%d numbers for %d choices", numbers, len(l.fit))
	}
}

func TestATextMeansOneChoiceOrNone(t *testing.T) {
	t.Parallel()
	l := &page{all: []app.Choice{{ID: "1", Name: "web"}, {ID: "2", Name: "web-test"}, {ID: "3", Name: "twice"}, {ID: "4", Name: "twice"}, {ID: "5", Name: "old", Unfit: "gone"}}}
	for text, id := range map[string]string{"web": "1", "WEB-T": "2", "twice": "", "4": "4", "old": "", "nobody": ""} {
		got := ""
		if c := l.one(text); c != nil {
			got = c.ID
		}
		if got != id {
			t.Errorf("%q means %q, want %q", text, got, id)
		}
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "rekey.yaml"), filepath.Join(dir, "link.yaml")
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(file)
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".rekey-*")); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	}
	if err := os.WriteFile(file, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("rekey.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("one"), []byte("two")); err != nil {
		t.Fatal(err)
	}
	holds("two")
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Somebody wrote to it since it was read.
	if err := replaceFile(file, []byte("one"), []byte("three")); err == nil || !bytes.Contains([]byte(err.Error()), []byte("changed meanwhile")) {
		t.Errorf("%v", err)
	}
	holds("two")
	if err := replaceFile(filepath.Join(dir, "none"), nil, []byte("x")); err == nil {
		t.Error("a file that is not there was replaced")
	}
}

func TestAnInterruptIsHeardWhileNothingIsTyped(t *testing.T) {
	t.Parallel()
	silent, typing := io.Pipe()
	defer typing.Close()
	var said bytes.Buffer
	k := &asker{o: &options{env: Env{Stderr: &said}}, in: bufio.NewReader(silent)}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	_, err := k.line(ctx, "name> ")
	var e *exit
	if !errors.Is(err, errLeft) || !errors.As(err, &e) || e.code != ExitPerson || said.String() != "name> \n" {
		t.Errorf("%v after %q", err, said.String())
	}
}
