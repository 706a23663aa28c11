package io.github.vfio4j;

/**
 * What KVM can do with groups and devices of VFIO, from {@link Vfio#kvmSupport()}.
 *
 * @param vfioDevice KVM has a VFIO device ({@code KVM_CREATE_DEVICE_TEST}), so that {@link Vfio#openKvmVm} and
 *     {@link Vfio#adoptKvmVm} can make it. A virtual machine has one: whether somebody made it already is not asked
 * @param spaprTables KVM does what a guest on PowerPC writes to its tables for the devices of VFIO, too
 *     ({@code KVM_CAP_SPAPR_TCE_VFIO}); {@link KvmVm#takesSpaprTables} tells whether it can be given them
 */
public record KvmSupport(boolean vfioDevice, boolean spaprTables) {}
