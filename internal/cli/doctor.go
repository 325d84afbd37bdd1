package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rekeyhq/rekey/internal/doctor"
)

func (o *options) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "compare what Rekey's identities hold with what they need, and look at each vault", Args: none,
		Long: `Doctor signs the manifest's identities in and looks at each vault: is anything missing, does anything of Rekey's hold
more than it needs or for good what could be taken for the work, how is the vault set up, and who else can read it or
give itself a role there? Each finding comes with the command that would mend it. It changes nothing, and runs none of
them. It exits with 3 where something is missing or open.

What it says is what Azure shows to Rekey's own identity, for which Key Vault Reader on each vault is enough.`,
		Example: example("rekey doctor", "rekey doctor --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := o.open()
			if err != nil {
				return err
			}
			looking := func(string) {}
			if !o.quiet && terminal(o.env.Stderr) {
				looking = func(what string) { fmt.Fprintf(o.env.Stderr, "looking at %s\n", safe(what)) }
			}
			found := a.Doctor(cmd.Context(), looking)
			if err := o.found(found); err != nil {
				return Exit(ExitFailed, err)
			}
			for _, f := range found {
				if f.Level == doctor.Bad {
					return Exit(ExitPerson, nil)
				}
			}
			return nil
		},
	}
}

func (o *options) found(all []doctor.Finding) error {
	if o.json {
		return writeJSON(o.env.Stdout, map[string]any{"schema": "rekey.doctor/1", "findings": all})
	}
	p := newPrinter(o.env.Stdout, o.env)
	colours := map[doctor.Level]string{doctor.OK: green, doctor.Warn: yellow, doctor.Bad: red, doctor.Note: dim}
	counts := map[doctor.Level]int{}
	for _, f := range all {
		counts[f.Level]++
		fmt.Fprintf(p.w, "%s  %s: %s\n", p.paint(colours[f.Level], fmt.Sprintf("%-4s", f.Level)), safe(f.About), safe(f.Says))
		for line := range strings.SplitSeq(f.Mend, "\n") {
			if line != "" {
				fmt.Fprintf(p.w, "      %s\n", safe(line))
			}
		}
	}
	fmt.Fprintf(p.w, "doctor: %s, %s, %s\n", count(counts[doctor.Bad], "fault"), count(counts[doctor.Warn], "warning"), count(counts[doctor.Note], "note"))
	return nil
}
