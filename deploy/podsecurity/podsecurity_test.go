// Package podsecurity holds what the chart makes against Kubernetes' own code: the evaluator of Pod Security as it runs
// in the API server, and the types of the objects.
package podsecurity

import (
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"tweet-triage/deploy/podsecurity/rendered"
)

// A pod of ours, in whatever kind it comes.
type pod struct {
	meta metav1.ObjectMeta
	spec corev1.PodSpec
}

func podOf(t *testing.T, object rendered.Object) *pod {
	t.Helper()
	switch object.Kind {
	case "StatefulSet":
		var set appsv1.StatefulSet
		rendered.Strict(t, object, &set)
		return &pod{set.Spec.Template.ObjectMeta, set.Spec.Template.Spec}
	case "Job":
		var job batchv1.Job
		rendered.Strict(t, object, &job)
		return &pod{job.Spec.Template.ObjectMeta, job.Spec.Template.Spec}
	case "Pod":
		var one corev1.Pod
		rendered.Strict(t, object, &one)
		return &pod{one.ObjectMeta, one.Spec}
	}
	return nil
}

// Every pod passes the level "restricted" of this version of Kubernetes.
func TestEveryPodIsRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	seen := 0
	for _, object := range rendered.Objects(t) {
		found := podOf(t, object)
		if found == nil {
			continue
		}
		seen++
		for _, result := range evaluator.EvaluatePod(restricted, &found.meta, &found.spec) {
			if !result.Allowed {
				t.Errorf("%s: %s %s: %s: %s", object.File, object.Kind, object.Name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
	if seen == 0 {
		t.Fatal("no pod was seen")
	}
}

// The evaluator is not blind: what asks for more is refused.
func TestAnotherPodIsRefused(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "root"}}}
	refused := 0
	for _, result := range evaluator.EvaluatePod(restricted, &metav1.ObjectMeta{}, &spec) {
		if !result.Allowed {
			refused++
		}
	}
	if refused == 0 {
		t.Error("a pod without any security context passed")
	}
}

// Every object has only fields that its type has.
func TestEveryObjectIsOfItsType(t *testing.T) {
	types := map[string]func() any{
		"v1/Service":                              func() any { return &corev1.Service{} },
		"v1/ConfigMap":                            func() any { return &corev1.ConfigMap{} },
		"v1/ServiceAccount":                       func() any { return &corev1.ServiceAccount{} },
		"v1/Pod":                                  func() any { return &corev1.Pod{} },
		"apps/v1/StatefulSet":                     func() any { return &appsv1.StatefulSet{} },
		"batch/v1/Job":                            func() any { return &batchv1.Job{} },
		"policy/v1/PodDisruptionBudget":           func() any { return &policyv1.PodDisruptionBudget{} },
		"networking.k8s.io/v1/NetworkPolicy":      func() any { return &networkingv1.NetworkPolicy{} },
		"monitoring.coreos.com/v1/PodMonitor":     func() any { return &monitoring.PodMonitor{} },
		"monitoring.coreos.com/v1/PrometheusRule": func() any { return &monitoring.PrometheusRule{} },
	}
	elsewhere := map[string]bool{"keda.sh/v1alpha1": true, "kafka.strimzi.io/v1": true}
	seen := map[string]bool{}
	for _, object := range rendered.Objects(t) {
		kind := object.APIVersion + "/" + object.Kind
		if make, known := types[kind]; known {
			seen[kind] = true
			rendered.Strict(t, object, make())
		} else if !elsewhere[object.APIVersion] {
			t.Errorf("%s: nobody looks at %s", object.File, kind)
		}
	}
	for kind := range types {
		if !seen[kind] {
			t.Errorf("no %s was seen", kind)
		}
	}
}
