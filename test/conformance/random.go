package main

const madeUpName = "random"

func madeUp(seed uint64, n int) []shape { return nil }
