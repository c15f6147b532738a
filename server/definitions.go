package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/leveretmq/leveret/broker/meta"
)

// importDefinitions takes over the files of Options.Definitions.
func (s *Server) importDefinitions(ctx context.Context) error {
	if s.opt.Definitions == "" {
		return nil
	}
	files, err := definitionFiles(s.opt.Definitions)
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		report, err := s.broker.Import(ctx, text)
		if err != nil {
			return fmt.Errorf("definitions of %s: %w", name, err)
		}
		s.opt.Logger.Info("Successfully imported definitions from " + name)
		for _, w := range report.Warnings {
			s.opt.Logger.Warn("definition has no effect", "file", name, "section", w.Section, "vhost", w.VHost, "name", w.Name, "reason", w.Text)
		}
	}
	return nil
}

// nameCluster keeps Options.ClusterName.
func (s *Server) nameCluster(ctx context.Context) error {
	if s.opt.ClusterName == "" {
		return nil
	}
	value, err := json.Marshal(s.opt.ClusterName)
	if err != nil {
		return err
	}
	_, err = s.broker.PutGlobalParameter(ctx, meta.GlobalParameter{Name: "cluster_name", Value: value})
	return err
}

// tell has events and the log published, as far as that is asked for. Without
// the virtual host the node is as good as it was.
func (s *Server) tell() {
	if vhost := s.opt.Events; vhost != "" {
		if err := s.broker.EnableEvents(vhost); err != nil {
			s.opt.Logger.Warn("events are not published", "err", err)
		}
	}
	if s.opt.LogExchange != nil {
		if err := s.broker.PublishLog(s.opt.LogExchange, cmp.Or(s.opt.FirstBoot.VHost, "/")); err != nil {
			s.opt.Logger.Warn("the log is not published", "err", err)
		}
	}
}

// definitionFiles are a file, or in their order those of a directory that end in
// .json.
func definitionFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, errors.Join(errors.New("load_definitions invalid, file does not exist or cannot be read by the node"), err)
	case !info.IsDir():
		return []string{path}, nil
	}
	files, err := filepath.Glob(filepath.Join(path, "*.json"))
	slices.Sort(files)
	return files, err
}
