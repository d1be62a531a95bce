package config

func derive(src Source, dir string, scripts []string) (*Pipeline, error) { return nil, ErrNoPipeline }
