// Package told answers one question: what does the virtual machine tell the host?
package told
