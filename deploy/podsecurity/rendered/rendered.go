// Package rendered reads what `helm template` made, from the folder that the variable RENDERED names.
package rendered

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Object is one document: what it says it is, and its text.
type Object struct {
	metav1.TypeMeta
	Name string
	File string
	Text []byte
}

// Objects gives all objects of all files; it fails where there are none, for then nothing would be shown.
func Objects(t *testing.T) []Object {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(os.Getenv("RENDERED"), "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no *.yaml in RENDERED=%q", os.Getenv("RENDERED"))
	}
	var found []Object
	for _, path := range paths {
		found = append(found, read(t, path)...)
	}
	return found
}

// Strict decodes an object into its type; a field that the type does not have fails.
func Strict(t *testing.T, object Object, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(object.Text, into); err != nil {
		t.Errorf("%s: %s %s: %v", object.File, object.Kind, object.Name, err)
	}
}

func read(t *testing.T, path string) []Object {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var found []Object
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var head metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(document, &head); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if head.Kind != "" {
			found = append(found, Object{head.TypeMeta, head.Name, filepath.Base(path), bytes.Clone(document)})
		}
	}
}
