package io.github.vfio4j;

/**
 * KVM as a user of a group or a device, from {@link KvmVm#add(Group)}. KVM keeps the open file: as long as it does,
 * nobody else can open the group. Releasing takes it away ({@code KVM_DEV_VFIO_FILE_DEL}), which KVM does in every state
 * of the group; it needs the file itself, so closing the group or the device does it first, and so does closing the
 * {@link KvmVm}.
 */
public final class KvmUser extends ExternalUser {
    private final KvmVm vm;

    KvmUser(KvmVm vm, ExternalUsers users, Group group, Device device) {
        super(users, group, device);
        this.vm = vm;
    }

    /**
     * Gives the group a table of translations of the virtual machine ({@code KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE}), on PowerPC:
     * KVM then does what the guest writes to the table for the group's devices, too, without leaving the kernel. The group
     * gets one for each window; KVM lets them go when the use ends. The memory of the guest is to be registered
     * ({@link SpaprTceV2#registerMemory}). {@link KvmVm#takesSpaprTables} tells whether this kernel's KVM takes tables.
     *
     * <p>Tested on made bytes alone: no such machine was at hand.
     *
     * @param table the descriptor of a table that the program made of this virtual machine ({@code KVM_CREATE_SPAPR_TCE_64})
     * @throws IllegalArgumentException if it is negative
     * @throws UnsupportedOperationException if it is a device that KVM was given: Linux finds no group then, and warns of
     *     itself
     * @throws RuleViolation if the use has ended
     * @throws VfioException {@code EBADF} if no file is open there, {@code EINVAL} if that is no table of this virtual
     *     machine or no window of the group is like it, {@code ENXIO} on other machines
     */
    public void setSpaprTce(int table) {
        lock().lock();
        try {
            if (released()) {
                throw new RuleViolation(Rule.HANDLE_OPEN, Operation.KVM_SET_SPAPR_TCE, "");
            }
            if (table < 0) {
                throw new IllegalArgumentException("a descriptor is not negative: " + table);
            }
            if (device().isPresent()) {
                throw new UnsupportedOperationException("KVM has a device, and tables are given to groups: add the group");
            }
            vm.setSpaprTce(group().orElseThrow(), table);
        } finally {
            lock().unlock();
        }
    }

    @Override
    void end() {
        vm.remove(this);
    }

    @Override
    String kind() {
        return "KVM";
    }
}
