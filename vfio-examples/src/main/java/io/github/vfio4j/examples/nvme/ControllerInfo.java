package io.github.vfio4j.examples.nvme;

/**
 * What Identify Controller says (section 5.15.2.2), and the version register.
 *
 * @param vendorId the PCI vendor
 * @param model the model number
 * @param serial the serial number
 * @param firmware the firmware revision
 * @param version the version of the specification, such as {@code 1.4.0}
 * @param maxTransferBytes the most that one command moves with this driver
 * @param maxNamespace the highest namespace identifier that can be
 */
public record ControllerInfo(
        int vendorId,
        String model,
        String serial,
        String firmware,
        String version,
        int maxTransferBytes,
        int maxNamespace) {}
