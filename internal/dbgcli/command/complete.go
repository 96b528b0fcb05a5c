package command

import (
	"strings"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/completion"

	"debugsession.dev/operator/api/v1alpha1"
)

// complete gives every command what a shell can complete: names by kubectl's own functions, and those of sessions and classes.
func complete(root *cobra.Command, env *environment, factory cmdutil.Factory) {
	completion.SetFactoryForCompletion(factory)
	root.ValidArgsFunction = completeTargets(completion.PodResourceNameCompletionFunc(factory))
	register := func(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, f)
		}
	}
	words := func(words ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	}
	var profiles []string
	for _, profile := range v1alpha1.Profiles() {
		profiles = append(profiles, string(profile))
	}
	_ = root.RegisterFlagCompletionFunc("namespace", completion.ResourceNameCompletionFunc(factory, "namespace"))
	_ = root.RegisterFlagCompletionFunc("context", completion.ContextCompletionFunc)
	_ = root.RegisterFlagCompletionFunc("cluster", completion.ClusterCompletionFunc)
	_ = root.RegisterFlagCompletionFunc("user", completion.UserCompletionFunc)
	for _, cmd := range append(root.Commands(), root) {
		register(cmd, "class", env.completeClasses)
		register(cmd, "profile", words(profiles...))
		register(cmd, "pick", words("Ready", "Unhealthy", "Newest", "Oldest"))
		register(cmd, "image-pull-policy", words("Always", "IfNotPresent", "Never"))
		if cmd.Name() == "can-i" || cmd.Name() == "render" || cmd == root {
			cmd.ValidArgsFunction = root.ValidArgsFunction
			register(cmd, "target", completion.ContainerCompletionFunc(factory))
			register(cmd, "container", completion.ContainerCompletionFunc(factory))
		}
	}
}

// completeTargets completes what kubectl knows to have pods, and the kind of volume claims, whose names kubectl completes as any kind's.
func completeTargets(pods cobra.CompletionFunc) cobra.CompletionFunc {
	const claims = "pvc/"
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		found, directive := pods(cmd, args, typed)
		if len(args) == 0 && strings.HasPrefix(claims, typed) && typed != claims {
			if len(found) == 0 {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
			found = append(found, claims)
		}
		return found, directive
	}
}
