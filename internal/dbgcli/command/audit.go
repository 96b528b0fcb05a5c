package command

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"debugsession.dev/operator/api/v1alpha1"
	"debugsession.dev/operator/internal/audit"
	"debugsession.dev/operator/internal/plaintext"
)

type auditOptions struct {
	*environment
	store  storeFlag
	format string

	operatorNamespace, publicKey, head string // of verify

	since            time.Duration // of list
	requester, class string
}

func newAudit(env *environment) *cobra.Command {
	o := &auditOptions{environment: env}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Read audit records from a store, and verify that nobody tampered with them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o.store.bind(cmd.PersistentFlags())
	verify := &cobra.Command{
		Use:   "verify --store=URL",
		Short: "Find records, transcripts and artifacts that were changed or removed, and records that were added or truncated",
		Long: `Find records, transcripts and artifacts that were changed or removed, and records that were added or truncated.

Each record has a link in a chain that the operator signs, and names the transcript and the artifacts of its session. The operator's public key and the head of the chain are in
the ConfigMap debugsession-audit in the operator's namespace; to verify without the cluster, pass a saved copy of them with --public-key and --head.
Exits with 1 if anything is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.verify(cmd.Context()) },
	}
	verify.Flags().StringVar(&o.operatorNamespace, "operator-namespace", "debugsession-system", "The namespace that the operator runs in.")
	verify.Flags().StringVar(&o.publicKey, "public-key", "", "The operator's public key. Read from the cluster by default.")
	verify.Flags().StringVar(&o.head, "head", "", "The last known head of the chain, as SEQUENCE:SHA256: all records up to it must exist. With --public-key alone, truncation of the chain's end is not detected.")
	verify.Flags().StringVarP(&o.format, "output", "o", "", "Output format: json.")
	list := &cobra.Command{
		Use:   "list --store=URL",
		Short: "List audit records of sessions, late reviews and requests refused by admission, oldest first",
		Example: `  # Who debugged what in the last 90 days
  kubectl dbg audit list --store=s3://audit --since=2160h -o csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context()) },
	}
	list.Flags().DurationVar(&o.since, "since", 0, "Only what ended or was refused within this duration, such as 720h.")
	list.Flags().StringVar(&o.requester, "requester", "", "Only records of this user.")
	list.Flags().StringVar(&o.class, "class", "", "Only records of this class.")
	list.Flags().StringVarP(&o.format, "output", "o", "", "Output format: json for whole records, or csv.")
	cmd.AddCommand(verify, list)
	return cmd
}

func (o *auditOptions) verify(ctx context.Context) error {
	if o.format != "" && o.format != "json" {
		return fmt.Errorf("-o %s: must be json", o.format)
	}
	anchor, err := o.anchor(ctx)
	if err != nil {
		return err
	}
	store, err := o.store.open(ctx)
	if err != nil {
		return err
	}
	known := &anchor.Head
	switch {
	case o.head == "" && o.publicKey != "":
		known = nil
	case anchor.Store != "" && anchor.Store != store.Name():
		fmt.Fprintf(o.ErrOut, "The operator writes to another store, %s: truncation of the end of this one cannot be detected.\n", anchor.Store)
		known = nil
	}
	result, err := audit.Verify(ctx, store, anchor.Public, known)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	return o.tell(result)
}

// tell shows what verification has found, which is an error if anything is wrong.
func (o *auditOptions) tell(result *audit.Result) error {
	switch {
	case o.format == "json":
		if err := o.printJSON(result); err != nil {
			return err
		}
	case len(result.Faults) == 0:
		fmt.Fprintf(o.Out, "%d records, %d links, up to %s%s: nothing was changed, removed or added\n", result.Records, result.Links, result.Head, with(result.Transcripts, "transcript")+with(result.Artifacts, "artifact"))
	}
	if len(result.Faults) == 0 {
		return nil
	}
	if o.format == "" {
		rows := make([][]string, len(result.Faults))
		for i, fault := range result.Faults {
			rows[i] = []string{string(fault.Kind), plaintext.Line(fault.Key), plaintext.Line(fault.Detail)}
		}
		if err := table(o.Out, []string{"FAULT", "KEY", "DETAIL"}, rows); err != nil {
			return err
		}
	}
	return fmt.Errorf("%d faults: the records are not what the operator wrote", len(result.Faults))
}

// with names what else was verified, if there was any.
func with(count int, what string) string {
	switch count {
	case 0:
		return ""
	case 1:
		return ", with 1 " + what
	default:
		return fmt.Sprintf(", with %d %ss", count, what)
	}
}

func (o *auditOptions) printJSON(what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintln(o.Out, plaintext.JSON(string(text)))
	return nil
}

// anchor is what the store is verified with: what was given, or what the cluster has.
func (o *auditOptions) anchor(ctx context.Context) (*audit.Anchor, error) {
	if o.publicKey == "" && o.head != "" {
		return nil, errors.New("--head needs --public-key")
	}
	if o.publicKey != "" {
		return o.givenAnchor()
	}
	conn, err := o.connect()
	if err != nil {
		return nil, err
	}
	found, err := conn.Kubernetes.CoreV1().ConfigMaps(o.operatorNamespace).Get(ctx, audit.AnchorName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no configmap %s in namespace %s: either the operator has stored no record yet, or it runs in another namespace (--operator-namespace)",
			audit.AnchorName, o.operatorNamespace)
	}
	if err != nil {
		return nil, err
	}
	return audit.ParseAnchor(found)
}

func (o *auditOptions) givenAnchor() (*audit.Anchor, error) {
	public, err := audit.ParsePublicKey(o.publicKey)
	if err != nil {
		return nil, fmt.Errorf("--public-key: %w", err)
	}
	anchor := &audit.Anchor{Public: public}
	if o.head == "" {
		return anchor, nil
	}
	head, err := audit.ParseHead(o.head)
	if err != nil {
		return nil, fmt.Errorf("--head: %w", err)
	}
	anchor.Head = *head
	return anchor, nil
}

func (o *auditOptions) list(ctx context.Context) error {
	if !slices.Contains([]string{"", "json", "csv"}, o.format) {
		return fmt.Errorf("-o %s: must be json or csv", o.format)
	}
	store, err := o.store.open(ctx)
	if err != nil {
		return err
	}
	records, err := audit.Read(ctx, store, o.wanted())
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	switch o.format {
	case "json":
		return o.printJSON(records)
	case "csv":
		writer := csv.NewWriter(o.Out)
		return writer.WriteAll(append([][]string{auditColumns}, auditRows(records, spreadsheet)...))
	default:
		if len(records) == 0 {
			fmt.Fprintln(o.ErrOut, "No records found.")
			return nil
		}
		return table(o.Out, auditColumns, auditRows(records, plaintext.Line))
	}
}

// wanted is what the flags ask for. -n is kubectl's own flag; without it all namespaces are meant.
func (o *auditOptions) wanted() audit.Query {
	query := audit.Query{Requester: o.requester, Class: o.class}
	if o.config.Namespace != nil {
		query.Namespace = *o.config.Namespace
	}
	if o.since > 0 {
		query.Since = o.now().Add(-o.since)
	}
	return query
}

var auditColumns = []string{"ENDED", "NAMESPACE", "NAME", "REQUESTER", "CLASS", "MODE", "TARGET", "OUTCOME", "STARTED", "APPROVERS", "REASON"}

func auditRows(records []*audit.Record, clean func(string) string) [][]string {
	rows := make([][]string, 0, len(records))
	for _, record := range records {
		row := sessionRow(record.Session)
		if record.Refusal != nil {
			row = refusalRow(record.Refusal)
		}
		if record.Review != nil {
			row = reviewRow(record.Review)
		}
		for i := range row {
			row[i] = clean(row[i])
		}
		rows = append(rows, row)
	}
	return rows
}

func sessionRow(s *audit.Session) []string {
	if s == nil {
		return nil
	}
	target := ""
	if s.Target != nil {
		target = s.Target.Name
	}
	return []string{
		moment(s.Times.Ended), s.Namespace, s.Name, s.Requester.Username, s.Spec.ClassName, string(s.Spec.Mode), target, string(s.Outcome),
		moment(s.Times.Started), approvers(s.Approvals), s.Reason,
	}
}

func approvers(approvals []audit.Approval) string {
	said := make([]string, len(approvals))
	for i := range approvals {
		said[i] = approvals[i].Approver.Username + " (" + string(approvals[i].Decision) + ")"
	}
	return strings.Join(said, ", ")
}

// reviewRow is of the review of an emergency after its end.
func reviewRow(r *audit.Review) []string {
	outcome := v1alpha1.ReasonAcknowledged
	if r.Decision == v1alpha1.DecisionDeny {
		outcome = v1alpha1.ReasonDeniedInReview
	}
	why := "review of an emergency, due by " + moment(r.DueAt)
	return []string{moment(r.At), r.Namespace, r.Name, r.Requester.Username, r.Class, "", "", outcome, "", approvers(r.Approvals), why}
}

// refusalRow shows the last of what was refused.
func refusalRow(r *audit.Refusal) []string {
	var last audit.Attempt
	if len(r.Attempts) > 0 {
		last = r.Attempts[len(r.Attempts)-1]
	}
	why := last.Message
	if r.Count > 1 {
		why = fmt.Sprintf("%d times since %s, most recently: %s", r.Count, moment(r.First), why)
	}
	return []string{moment(r.Last), r.Namespace, last.Name, r.User.Username, last.Class, "", last.Kind, audit.OutcomeRefused, "", "", why}
}

func moment(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// spreadsheet keeps what a requester wrote from being a formula where the file is opened.
func spreadsheet(text string) string {
	text = strings.TrimSpace(plaintext.Line(text))
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}
