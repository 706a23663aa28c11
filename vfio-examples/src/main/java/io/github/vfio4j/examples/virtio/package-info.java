/**
 * A poll-mode driver for virtio network cards on PCI, without the legacy interface, written for reading. Section numbers
 * are those of the Virtual I/O Device (VIRTIO) specification, version 1.1.
 */
package io.github.vfio4j.examples.virtio;
