//go:build tools

// Package pythonhost names the command that engine_build.py builds, so that `go mod tidy` keeps its modules pinned.
package pythonhost

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
