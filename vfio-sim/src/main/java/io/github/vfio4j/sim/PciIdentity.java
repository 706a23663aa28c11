package io.github.vfio4j.sim;

/**
 * What configuration space says a simulated PCI function is.
 *
 * @param vendorId the vendor, such as 0x1b36
 * @param deviceId the device
 * @param classCode base class, subclass and programming interface, such as 0x010802
 */
public record PciIdentity(int vendorId, int deviceId, int classCode) {}
