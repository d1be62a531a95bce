package config

func (l *loader) checkScripts() {}
