package command

import (
	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/util/completion"

	"debugsession.dev/operator/api/v1alpha1"
)

// complete gives every command what a shell can complete: names by kubectl's own functions, and those of sessions and classes.
func complete(root *cobra.Command, env *environment, factory cmdutil.Factory) {
	completion.SetFactoryForCompletion(factory)
	root.ValidArgsFunction = completion.PodResourceNameCompletionFunc(factory)
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
