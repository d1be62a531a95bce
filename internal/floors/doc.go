// Package floors keeps the plan of the house: floors.txt says which package may
// import which and which package owns which third-party module, and a test holds
// the code to it. There is no code to import.
package floors
