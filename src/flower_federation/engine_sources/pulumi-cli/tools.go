//go:build tools

// Package pulumicli names the command that engine_build.py builds, so that `go mod tidy` keeps its modules pinned.
package pulumicli

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
