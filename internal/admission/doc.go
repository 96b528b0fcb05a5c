// Package admission is what the API server asks before it stores one of our objects. It answers for our kinds alone.
//
// A session is stamped with who created it, an approval with who gave it and what exactly it is for; both are sealed (see
// package seal), so that what is stamped cannot be had otherwise. A manifest that claims something else is refused, never
// silently corrected. Whoever creates a session must hold the verb use on its class, whoever approves the verb approve, in
// that namespace: both are asked of the API server, and an answer that cannot be had is a refusal.
//
// It changes nothing but the object it is asked about, so a dry run is answered like everything else; a deletion alone it notes in
// the session's status, as there is no object to write into. Rules that need
// nothing but the object itself are not here: they are CEL in the CRDs. Only their schemas are looked at here as well, before the API
// server does, for the sake of its answer (see package crdschema).
//
// Messages are for a person in a hurry: what is refused, why, and who can help.
package admission

// What the API server is asked to send us. The names are what a refused user sees.
//
// A stamp covers the whole spec, so ours are called again if another webhook changed the object after them.
//
// Of the updates, only those come by that may be changed or refused: those without the stamps, which get them back if they are
// their author's, kubectl apply over an approval that counts for nothing, a longer ttl, our finalizer taken away, an owner added, an emergency declared.
// So a session can be ended, also by spec.end, when no replica answers. Every other apply over what somebody else has created
// the policy in config/identity refuses, which needs no replica.
//
// The one for validation answers for the schemas where no stamp is missing, and stamps who changes ttl or end, for the record: the
// policy in config/identity sees that nobody says so of another. It may be left out: the API server then goes on without it, and says the
// same of the schemas with a line more. So it does without the one that notes who deletes. One call is all that an end may cost: each makes
// it easier to keep it from its write by writing the session all the time. A new session or approval comes by only once, for both.
//
// +kubebuilder:webhookconfiguration:mutating=true,name=debugsession
// +kubebuilder:webhookconfiguration:mutating=false,name=debugsession
// +kubebuilder:webhook:mutating=true,name=sessions.debugsession.dev,path=/stamp/debugsessions,groups=debugsession.dev,versions=v1alpha1,resources=debugsessions,verbs=create;update,failurePolicy=Fail,matchPolicy=Equivalent,sideEffects=None,reinvocationPolicy=IfNeeded,timeoutSeconds=5,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"stamps-missing","expression":"request.operation == 'CREATE' || !has(object.spec) || type(object.spec) != map || !has(object.spec.className) || !has(object.spec.requester) || !has(object.spec.requester.seal) || (has(object.spec.emergency) && object.spec.emergency == true && !(has(oldObject.spec.emergency) && oldObject.spec.emergency))"}]}`
// +kubebuilder:webhook:mutating=true,name=approvals.debugsession.dev,path=/stamp/debugapprovals,groups=debugsession.dev,versions=v1alpha1,resources=debugapprovals,verbs=create;update,failurePolicy=Fail,matchPolicy=Equivalent,sideEffects=None,reinvocationPolicy=IfNeeded,timeoutSeconds=5,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"stamps-missing","expression":"request.operation == 'CREATE' || !has(object.spec) || type(object.spec) != map || !has(object.spec.approver) || !has(object.spec.approver.seal) || (has(oldObject.spec.sessionUID) && !(has(object.spec.sessionUID) && has(object.spec.requestHash) && has(object.spec.ttl))) || (!has(oldObject.spec.sessionUID) && has(object.metadata.annotations) && 'kubectl.kubernetes.io/last-applied-configuration' in object.metadata.annotations)"}]}`
// +kubebuilder:webhook:mutating=true,name=validation.debugsession.dev,path=/schema,groups=debugsession.dev,versions=v1alpha1,resources=debugsessions;debugapprovals;debugclasses;debugsinks,verbs=create;update,failurePolicy=Ignore,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=1,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"schema-in-question","expression":"request.operation == 'CREATE' ? request.resource.resource in ['debugclasses', 'debugsinks'] : !has(object.spec) || !has(oldObject.spec) || object.spec != oldObject.spec || (has(oldObject.metadata.annotations) && 'debugsession.dev/changed-by' in oldObject.metadata.annotations && !(has(object.metadata.annotations) && 'debugsession.dev/changed-by' in object.metadata.annotations))"}]}`
// +kubebuilder:webhook:mutating=false,name=sessions.debugsession.dev,path=/validate/debugsessions,groups=debugsession.dev,versions=v1alpha1,resources=debugsessions,verbs=create;update,failurePolicy=Fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"concerns-admission","expression":"request.operation == 'CREATE' || (has(object.spec.ttl) && (!has(oldObject.spec.ttl) || duration(object.spec.ttl) > duration(oldObject.spec.ttl))) || (has(oldObject.metadata.finalizers) && 'debugsession.dev/teardown' in oldObject.metadata.finalizers && !(has(object.metadata.finalizers) && 'debugsession.dev/teardown' in object.metadata.finalizers) && !(has(oldObject.status) && has(oldObject.status.phase) && oldObject.status.phase == 'Ended')) || (has(object.spec.emergency) && object.spec.emergency == true && (!(has(oldObject.spec.emergency) && oldObject.spec.emergency) || (has(object.metadata.ownerReferences) && !(has(oldObject.metadata.ownerReferences) && object.metadata.ownerReferences == oldObject.metadata.ownerReferences))))"}]}`
// +kubebuilder:webhook:mutating=false,name=deletions.debugsession.dev,path=/note/deletions,groups=debugsession.dev,versions=v1alpha1,resources=debugsessions,verbs=delete,failurePolicy=Ignore,matchPolicy=Equivalent,sideEffects=NoneOnDryRun,timeoutSeconds=2,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"has-not-ended","expression":"!(has(oldObject.status) && has(oldObject.status.phase) && oldObject.status.phase == 'Ended')"}]}`
// +kubebuilder:webhook:mutating=false,name=approvals.debugsession.dev,path=/validate/debugapprovals,groups=debugsession.dev,versions=v1alpha1,resources=debugapprovals,verbs=create;update,failurePolicy=Fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system,patch=`{"matchConditions":[{"name":"concerns-admission","expression":"request.operation == 'CREATE' || (has(object.metadata.ownerReferences) && !(has(oldObject.metadata.ownerReferences) && object.metadata.ownerReferences == oldObject.metadata.ownerReferences))"}]}`
// +kubebuilder:webhook:mutating=false,name=classes.debugsession.dev,path=/validate/debugclasses,groups=debugsession.dev,versions=v1alpha1,resources=debugclasses,verbs=create;update,failurePolicy=Fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,admissionReviewVersions=v1,serviceName=debugsession-webhook,serviceNamespace=debugsession-system
//
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugsessions/status,verbs=patch
//
// Reviews are how use and approve are asked. Classes, and the labels of namespaces, come from a cache: one request to the
// API server is made for a session, and three for an approval. The CRDs are looked at when one's schema would refuse an object.
//
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups=debugsession.dev,resources=debugclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=debugsessions.debugsession.dev;debugapprovals.debugsession.dev;debugclasses.debugsession.dev;debugsinks.debugsession.dev,verbs=get
