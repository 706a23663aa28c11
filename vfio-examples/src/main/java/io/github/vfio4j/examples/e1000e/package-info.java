/**
 * A poll-mode driver for Intel's 82574L gigabit Ethernet controller (QEMU's e1000e), written for reading. Section numbers
 * are those of Intel's 82574 data sheet, revision 3.4.
 */
package io.github.vfio4j.examples.e1000e;
