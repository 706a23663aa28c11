package io.github.vfio4j.sim;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** IOMMU_TEST_CMD of Linux (CONFIG_IOMMUFD_TEST): as much of it as has a {@link MockDevice}, and has that do something. */
final class MockCalls {
    /** The ioctl's number: 32 after the first one of iommufd. */
    static final int REQUEST = IOMMU_DESTROY() + 32;

    /** The type of data of a nested page table, and of what is to be forgotten of it. */
    static final int HWPT_DATA = 0xdead;
    static final int INVALIDATE_DATA = 0xdeadbeef;

    // struct iommu_test_cmd: size, op, id, reserved, 48 bytes of the operation, last
    static final GroupLayout LAYOUT = MemoryLayout.structLayout(
            MemoryLayout.sequenceLayout(4, ValueLayout.JAVA_INT),
            MemoryLayout.sequenceLayout(6, ValueLayout.JAVA_LONG),
            MemoryLayout.sequenceLayout(2, ValueLayout.JAVA_INT));
    static final long LEAST = 68;

    private static final int MOCK_DOMAIN = 2;
    private static final int MOCK_DOMAIN_REPLACE = 10;
    private static final int DIRTY = 13;
    private static final int MD_CHECK_IOTLB = 14;
    private static final int TRIGGER_IOPF = 15;
    private static final int DEV_CHECK_CACHE = 16;
    private static final int TRIGGER_VEVENT = 17;

    private static final int OP = 4;
    private static final int ID = 8;
    private static final int FIRST = 16; // of the operation's own fields
    private static final int SECOND = 20;
    private static final int THIRD = 24;
    private static final int FOURTH = 28;
    private static final int FIFTH = 32;

    private static final int IOVA = 24;
    private static final int LENGTH = 32;
    private static final int PAGE_SIZE = 40;
    private static final int BITMAP = 48;
    private static final int WRITTEN = 56;

    private final Iommufd iommufd;
    private final SimProcess caller;
    private final SizedStruct struct;
    private final MemorySegment fields;

    MockCalls(Iommufd iommufd, SimProcess caller, SizedStruct struct) {
        this.iommufd = iommufd;
        this.caller = caller;
        this.struct = struct;
        this.fields = struct.fields;
    }

    private int field(int offset) {
        return fields.get(ValueLayout.JAVA_INT, offset);
    }

    private void field(int offset, int value) {
        fields.set(ValueLayout.JAVA_INT, offset, value);
    }

    int call() {
        switch (field(OP)) {
            case MOCK_DOMAIN -> make();
            case MOCK_DOMAIN_REPLACE -> {
                MockDevice.Owner owner = find(field(ID), MockDevice.Owner.class);
                field(FIRST, owner.device.attach(field(FIRST), Operation.DEVICE_ATTACH_IOMMUFD_PT, new Facts() {}));
                struct.write();
            }
            case DIRTY -> write();
            case MD_CHECK_IOTLB -> {
                if (!find(field(ID), NestedHwpt.class).remembers(field(FIRST), field(SECOND))) {
                    throw new KernelError(Errno.EINVAL);
                }
            }
            case TRIGGER_IOPF ->
                find(field(FIRST), MockDevice.class)
                        .fault(field(SECOND), field(THIRD), field(FOURTH), fields.get(ValueLayout.JAVA_LONG, FIFTH));
            case DEV_CHECK_CACHE -> {
                if (!find(field(ID), MockDevice.class).remembers(field(FIRST), field(SECOND))) {
                    throw new KernelError(Errno.EINVAL);
                }
            }
            case TRIGGER_VEVENT -> find(field(FIRST), MockDevice.class).event();
            default -> throw new KernelError(Errno.EOPNOTSUPP);
        }
        return 0;
    }

    private <T extends IommuObject> T find(int id, Class<T> kind) {
        T found = iommufd.find(id, kind);
        if (found == null) {
            throw new KernelError(Errno.ENOENT);
        }
        return found;
    }

    /** A device wrote pages: those whose bits are set. */
    private void write() {
        long iova = fields.get(ValueLayout.JAVA_LONG, IOVA);
        long length = fields.get(ValueLayout.JAVA_LONG, LENGTH);
        long page = fields.get(ValueLayout.JAVA_LONG, PAGE_SIZE);
        long address = fields.get(ValueLayout.JAVA_LONG, BITMAP);
        if (page == 0 || length == 0 || iova % page != 0 || length % page != 0 || address == 0) {
            throw new KernelError(Errno.EINVAL);
        }
        Hwpt table = find(field(ID), Hwpt.class);
        if (table.iommu != MockDevice.IOMMU || !table.isTracking()) {
            throw new KernelError(Errno.EINVAL);
        }
        UserMemory bitmap = struct.pointer(caller, address);
        long written = 0;
        for (long i = 0; i < length / page; i++) {
            if ((bitmap.readByte(i / Byte.SIZE) >> i % Byte.SIZE & 1) != 0) {
                table.written(iova + i * page, page);
                written++;
            }
        }
        fields.set(ValueLayout.JAVA_LONG, WRITTEN, written);
        struct.write();
    }

    private void make() {
        MockDevice.Owner owner = new MockDevice.Owner(iommufd);
        iommufd.tellOf(owner, () -> {
            owner.device = new MockDevice(iommufd);
            int table = owner.device.attach(field(ID), Operation.DEVICE_ATTACH_IOMMUFD_PT, new Facts() {});
            field(FIRST, owner.id);
            field(SECOND, table);
            field(THIRD, owner.device.id);
            struct.write();
        });
    }

    /** Reads data of the mock's driver: no more than that knows; what the program does not know is 0. */
    static MemorySegment data(UserMemory memory, long given, long least, long known) {
        if (given < least || given > known) {
            throw new KernelError(Errno.EINVAL);
        }
        MemorySegment data = UserMemory.zeroed(known);
        memory.read(0, data, Math.min(given, known));
        return data;
    }
}
