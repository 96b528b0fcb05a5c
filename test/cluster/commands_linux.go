package main

func nodeCommands() []command { return nil }
