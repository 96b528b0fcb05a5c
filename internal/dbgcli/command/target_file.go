package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/resource"

	"debugsession.dev/operator/internal/dbgcli/request"
)

// targetOfFiles is the one object that manifests describe, as KIND/NAME, and its namespace. No server is asked.
func targetOfFiles(files []string) (target, namespace string, err error) {
	infos, err := resource.NewLocalBuilder().Unstructured().
		FilenameParam(false, &resource.FilenameOptions{Filenames: files}).Flatten().Do().Infos()
	if err != nil {
		return "", "", fmt.Errorf("--filename: %w", err)
	}
	if len(infos) != 1 {
		return "", "", fmt.Errorf("--filename: a session needs exactly one target, but %s describes %d objects", strings.Join(files, ", "), len(infos))
	}
	kind, name := infos[0].Object.GetObjectKind().GroupVersionKind(), infos[0].Name
	if kind.Version == "" || name == "" {
		return "", "", fmt.Errorf("--filename: the object in %s needs an apiVersion, a kind and a metadata.name", files[0])
	}
	return request.TargetName(kind, name), infos[0].Namespace, nil
}

// readTarget has a manifest name the target, and its namespace as kubectl does: another one that was asked for is a mistake.
func (o *openOptions) readTarget(cmd *cobra.Command) error {
	if len(o.flags.files) == 0 {
		return nil
	}
	if o.request.Target != "" || o.request.Selector != "" || o.request.TargetImage != "" {
		return errors.New("specify only one of: a target, -l, -f, --target-image")
	}
	target, namespace, err := targetOfFiles(o.flags.files)
	if err != nil {
		return err
	}
	o.request.Target = target
	flag := cmd.Flags().Lookup("namespace")
	switch {
	case namespace == "" || namespace == flag.Value.String():
		return nil
	case flag.Changed:
		return fmt.Errorf("%s in the file is in namespace %s, not %s: omit -n", target, namespace, flag.Value)
	default:
		return cmd.Flags().Set("namespace", namespace)
	}
}
