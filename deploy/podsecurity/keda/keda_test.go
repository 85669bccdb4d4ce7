// Package keda holds the chart's ScaledObjects and TriggerAuthentications against KEDA's own types and its rules.
package keda

import (
	"testing"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"

	"tweet-triage/deploy/podsecurity/rendered"
)

// Every object has only fields that KEDA has, and no component is ever scaled to nothing.
func TestEveryObjectIsOfItsType(t *testing.T) {
	seen := map[string]int{}
	for _, object := range rendered.Objects(t) {
		switch object.Kind {
		case "ScaledObject":
			seen[object.Kind]++
			var scaled keda.ScaledObject
			rendered.Strict(t, object, &scaled)
			if scaled.Spec.MinReplicaCount == nil || *scaled.Spec.MinReplicaCount < 1 {
				t.Errorf("%s: %s may be scaled to nothing: clocks would stop", object.File, object.Name)
			}
			if err := keda.CheckReplicaCountBoundsAreValid(&scaled); err != nil {
				t.Errorf("%s: %s: %v", object.File, object.Name, err)
			}
			if err := keda.ValidateTriggers(scaled.Spec.Triggers); err != nil {
				t.Errorf("%s: %s: %v", object.File, object.Name, err)
			}
		case "TriggerAuthentication":
			seen[object.Kind]++
			rendered.Strict(t, object, &keda.TriggerAuthentication{})
		}
	}
	if seen["ScaledObject"] == 0 || seen["TriggerAuthentication"] == 0 {
		t.Errorf("not all kinds were seen: %v", seen)
	}
}
