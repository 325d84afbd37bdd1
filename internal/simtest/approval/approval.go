// Package approval holds decisions on approvals against real signatures: the desk, the tenant's published keys, and a person
// who signs in to the simulated tenant in a browser.
//
// It is for tests alone, and is nothing but tests. What always holds: each case begins with a decision that counts, changes
// one thing, and wants a refusal that names it.
package approval
