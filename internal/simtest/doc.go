// Package simtest holds the simulated Azure to Microsoft's files and to Microsoft's clients. It is tests alone, and
// the one place that may import both sides: the simulator, and the official SDKs that the product talks through.
//
// It is no test of the product, nor of what a single service does: that lies beside the service. What always holds:
// each request that a client sends here, and each answer, is recorded and held to Microsoft's OpenAPI files; where
// the files and the recorded service are known to disagree, one table says so, and an excuse that nothing needs is
// an error. What no file of Microsoft's describes is held to testdata, which is written from recordings.
package simtest
