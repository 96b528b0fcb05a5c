// Package docs reads the pages of the documentation: its tests hold them to the code, and test/e2e runs the commands in them.
package docs

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Block is a fenced block of a page.
type Block struct {
	Page     string // the page's path, from the root of the repository
	Line     int    // where it begins
	Language string
	Text     string
	Mark     Mark
}

// Mark says what tests a block of commands. It stands before the block, in a comment that no reader sees:
//
//	<!-- test: e2e -->                runs in test/e2e, and prints what the page shows
//	<!-- test: parse: WHY NOT RUN --> names only commands, flags, targets and files that there are
type Mark struct{ Kind, Why string }

// The kinds of marks.
const (
	RunsInE2E = "e2e"
	Parses    = "parse"
)

func (b Block) String() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// OfCommands reports whether a block has commands to type.
func (b Block) OfCommands() bool {
	return b.Language == "console" || b.Language == "bash" || b.Language == "sh"
}

// Command is what is typed, and what is then shown.
type Command struct {
	Line  string
	Shows []string
}

var (
	fence  = regexp.MustCompile("^ *```(.*)$")
	mark   = regexp.MustCompile(`^ *<!-- test: ([a-z0-9]+)(?:: (.+))? -->$`)
	prompt = regexp.MustCompile(`^[a-z]*\$ `)
)

// Blocks are the fenced blocks of a page below root.
func Blocks(root, page string) ([]Block, error) {
	text, err := os.ReadFile(root + "/" + page) //nolint:gosec // a page of the repository
	if err != nil {
		return nil, err
	}
	var blocks []Block
	var before string
	inside := false
	for i, line := range strings.Split(string(text), "\n") {
		fenced := fence.FindStringSubmatch(line)
		switch {
		case fenced != nil && !inside:
			block := Block{Page: page, Line: i + 1, Language: fenced[1]}
			if marked := mark.FindStringSubmatch(before); marked != nil {
				block.Mark = Mark{Kind: marked[1], Why: marked[2]}
			}
			blocks, inside = append(blocks, block), true
		case fenced != nil:
			inside = false
		case inside:
			blocks[len(blocks)-1].Text += line + "\n"
		}
		before = line
	}
	if inside {
		return nil, fmt.Errorf("%s: the block does not end", blocks[len(blocks)-1])
	}
	return blocks, nil
}

// Commands are those of a block. In a console a command follows a prompt; all else is what it shows, unless the line before is continued.
func (b Block) Commands() []Command {
	if b.Language != "console" {
		return []Command{{Line: b.Text}}
	}
	var commands []Command
	continues, until := false, ""
	for _, line := range strings.Split(strings.TrimRight(b.Text, "\n"), "\n") {
		line = strings.TrimSpace(line)
		prompted := prompt.FindString(line)
		var last *Command
		if len(commands) > 0 {
			last = &commands[len(commands)-1]
		}
		switch {
		case last != nil && (continues || until != ""):
			last.Line += "\n" + line
		case prompted != "":
			line = strings.TrimPrefix(line, prompted)
			commands = append(commands, Command{Line: line})
		case last != nil && line != "":
			last.Shows = append(last.Shows, line)
			continue
		}
		continues = strings.HasSuffix(line, `\`)
		if _, end, found := strings.Cut(line, "<<"); found {
			until = strings.Fields(end)[0]
		} else if line == until {
			until = ""
		}
	}
	return commands
}

// Matches reports whether a line of a page is one that was printed: … stands for anything, and a space for any number of them.
func Matches(shown, printed string) bool {
	parts := strings.Split(shown, "…")
	for i, part := range parts {
		words := strings.Fields(part)
		for j := range words {
			words[j] = regexp.QuoteMeta(words[j])
		}
		parts[i] = strings.Join(words, `\s+`)
	}
	return regexp.MustCompile(`^\s*` + strings.Join(parts, `.*`) + `\s*$`).MatchString(printed)
}
