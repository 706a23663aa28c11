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

    @Override
    void end() {
        vm.remove(this);
    }

    @Override
    String kind() {
        return "KVM";
    }
}
