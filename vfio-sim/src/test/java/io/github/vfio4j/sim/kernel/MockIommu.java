package io.github.vfio4j.sim.kernel;

import static io.github.vfio4j.ffm.gen.iommufd_h.*;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.Operation;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import io.github.vfio4j.spi.DevicePort;
import io.github.vfio4j.spi.IommufdPort;
import io.github.vfio4j.spi.Kernel;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The IOMMU and the devices that kernels have to test iommufd (CONFIG_IOMMUFD_TEST), in the place of hardware that the VM
 * lacks. Linux 6.12 has them behind a virtio-iommu, and not behind Intel's or AMD's. A program opens such a device by its
 * own node, as any; what stands for that node here makes and ends it by IOMMU_TEST_CMD. Its driver has numbers of its own
 * for the types of what real IOMMUs have ({@code ..._SELFTEST}): they are put into the calls in the place of those of Intel's
 * and Arm's, and all else is what the library says.
 */
public final class MockIommu {
    private static final int IOMMU_TEST_CMD = IOMMU_DESTROY() + 32;
    private static final int MOCK_DOMAIN = 2;
    private static final int MOCK_DOMAIN_REPLACE = 10;
    private static final int DIRTY = 13;
    private static final int MD_CHECK_IOTLB = 14;
    private static final int TRIGGER_IOPF = 15;
    private static final int DEV_CHECK_CACHE = 16;
    private static final int TRIGGER_VEVENT = 17;

    private static final int HWPT_DATA_SELFTEST = 0xdead;
    private static final int SELFTEST = 0xdeadbeef;
    private static final int VEVENTQ_TYPE_SELFTEST = 0xbeefbeef;
    private static final int VIOMMU_DATA_BYTES = 24; // a number in, the same out, where the page is, its bytes
    private static final long PAGE = 2048; // of the mock
    private static final int MOST_OBJECTS = 20; // that a test makes
    private static final int HWPT_COMMAND = 8;
    private static final int VIOMMU_COMMAND = 12;
    private static final int HEADER = 8; // of an event
    private static final int SMMU_EVENT = 32;

    /** What the page of a virtual IOMMU begins with. */
    static final int FIRST_WORD_OF_PAGE = 0x1234_5678;

    private final Syscalls machine;
    private final Map<IommufdPort, Integer> iommufds = new IdentityHashMap<>();
    private final Map<UUID, Integer> groups = new HashMap<>();
    private final Map<String, Node> nodes = new HashMap<>();
    private final Set<Integer> eventQueues = ConcurrentHashMap.newKeySet(); // their descriptors
    private int lastIommufd;

    private final Vfio vfio;

    MockIommu(MachineUnderTest machine) {
        this(machine.syscalls(), machine.sysfs(), Notes.linux());
    }

    /** Makes one on the ports of a machine. */
    @SuppressWarnings("exports") // tests of this module see the ports
    public MockIommu(Syscalls machine, SysFs sysfs, Notes notes) {
        this.machine = machine;
        Kernel below = new FfmKernel("simulated", proxy(Syscalls.class, this::syscall), sysfs, notes);
        Kernel kernel = proxy(Kernel.class, (method, arguments) -> call(below, method, arguments));
        vfio = Vfio.on(kernel, Contract.STRICT);
    }

    /** Returns the VFIO of a program that has such devices. */
    public Vfio vfio() {
        return vfio;
    }

    interface Handler {
        Object call(Method method, Object[] arguments) throws Throwable;
    }

    /** Makes a port that a handler answers for. */
    static <T> T proxy(Class<T> type, Handler handler) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> switch (method.getName()) {
                    case "equals" -> self == arguments[0];
                    case "hashCode" -> System.identityHashCode(self);
                    default -> handler.call(method, arguments);
                }));
    }

    /** Calls a port in the place of another. */
    static Object pass(Object target, Method method, Object[] arguments) throws Throwable {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    // ---- the kernel, with nodes for these devices

    private Object call(Kernel below, Method method, Object[] arguments) throws Throwable {
        switch (method.getName()) {
            case "mediatedDeviceGroup" -> {
                Integer group = groups.get((UUID) arguments[0]);
                if (group != null) {
                    return OptionalInt.of(group);
                }
            }
            case "deviceNode" -> {
                if (groups.keySet().stream().anyMatch(name -> name.toString().equals(arguments[0]))) {
                    return Optional.of("mock " + arguments[0]);
                }
            }
            case "openDevice" -> {
                String path = (String) arguments[0];
                if (path.startsWith("mock ")) {
                    Node node = new Node();
                    nodes.put(path.substring(5), node);
                    return proxy(DevicePort.class, node::call);
                }
            }
            case "openIommufd" -> {
                IommufdPort iommufd = (IommufdPort) pass(below, method, arguments);
                iommufds.put(iommufd, lastIommufd);
                return iommufd;
            }
            default -> {}
        }
        return pass(below, method, arguments);
    }

    /** Opens a new device. */
    public Mock open(Iommufd iommufd) {
        UUID name = UUID.randomUUID();
        groups.put(name, 1_000_000 + groups.size()); // of its own
        Device device = iommufd.openDevice(name);
        return new Mock(device, nodes.get(name.toString()));
    }

    /** Has the kernel such devices? */
    boolean isPresent() {
        try (Iommufd _ = vfio.openIommufd()) {
            Frame frame = new Frame();
            MemorySegment alloc = frame.arg.asSlice(0, 12).fill((byte) 0);
            alloc.set(JAVA_INT, 0, 12);
            check(Operation.IOAS_ALLOC, machine.ioctl(frame, lastIommufd, IOMMU_IOAS_ALLOC(), alloc));
            return test(lastIommufd, MOCK_DOMAIN, alloc.get(JAVA_INT, 8), new int[0], new int[0]) == 0;
        }
    }

    /** IOMMU_TEST_CMD; the operation's fields are 32 bits wide, and those that are read afterwards come back. */
    private int test(int iommufd, int operation, int id, int[] fields, int[] results) {
        Frame frame = new Frame();
        MemorySegment struct = frame.arg.asSlice(0, 72).fill((byte) 0);
        struct.set(JAVA_INT, 0, 72);
        struct.set(JAVA_INT, 4, operation);
        struct.set(JAVA_INT, 8, id);
        MemorySegment.copy(fields, 0, struct, JAVA_INT, 16, fields.length);
        int result = machine.ioctl(frame, iommufd, IOMMU_TEST_CMD, struct);
        MemorySegment.copy(struct, JAVA_INT, 16, results, 0, results.length);
        return result;
    }

    private static void check(Operation operation, int result) {
        if (result < 0) {
            throw new VfioException(operation, new Errno(-result), "mock");
        }
    }

    /** What stands for a device's own node. */
    private final class Node {
        private int iommufd;
        private int blocking; // an address space without mappings, for while it is not attached
        private int owner;
        private int id;

        private Object call(Method method, Object[] arguments) {
            switch (method.getName()) {
                case "bind" -> {
                    iommufd = iommufds.get((IommufdPort) arguments[0]);
                    Frame frame = new Frame();
                    MemorySegment alloc = frame.arg.asSlice(0, 12).fill((byte) 0);
                    alloc.set(JAVA_INT, 0, 12);
                    check(Operation.IOAS_ALLOC, machine.ioctl(frame, iommufd, IOMMU_IOAS_ALLOC(), alloc));
                    blocking = alloc.get(JAVA_INT, 8);
                    int[] made = new int[3];
                    check(Operation.DEVICE_BIND_IOMMUFD, test(iommufd, MOCK_DOMAIN, blocking, new int[0], made));
                    owner = made[0];
                    id = made[2];
                    return id;
                }
                case "attach" -> attach((int) arguments[0]);
                case "detach" -> attach(blocking);
                case "info" -> {
                    return new DeviceInfo(DeviceInfo.Bus.OTHER, false, 0, 0, List.of());
                }
                case "close" -> {
                    destroy(owner);
                    destroy(blocking);
                }
                case "features", "graphics" -> {
                    return null; // it has neither
                }
                case "toString" -> {
                    return "mock " + id;
                }
                default -> throw new UnsupportedOperationException(method.getName());
            }
            return null;
        }

        private void attach(int table) {
            int result = test(iommufd, MOCK_DOMAIN_REPLACE, owner, new int[] {table}, new int[0]);
            check(Operation.DEVICE_ATTACH_IOMMUFD_PT, result);
        }

        private void destroy(int object) {
            Frame frame = new Frame();
            MemorySegment destroy = frame.arg.asSlice(0, 8);
            destroy.set(JAVA_INT, 0, 8);
            destroy.set(JAVA_INT, 4, object);
            check(Operation.IOMMU_DESTROY, machine.ioctl(frame, iommufd, IOMMU_DESTROY(), destroy));
        }
    }

    /** A device. */
    public final class Mock {
        /** The device, as the library has it. */
        public final Device device;

        private final Node node;

        private Mock(Device device, Node node) {
            this.device = device;
            this.node = node;
        }

        /** Has it request a page. */
        void fault(int pasid, int group, int permissions, long address) {
            int[] fields = {node.id, pasid, group, permissions, (int) address, (int) (address >>> 32)};
            check(Operation.FAULT_QUEUE_READ, test(node.iommufd, TRIGGER_IOPF, 0, fields, new int[0]));
        }

        /** Has its IOMMU note that it wrote a page of 4096 bytes, in the only page table that tracks that. */
        void write(long iova) {
            for (int table = 1; table < MOST_OBJECTS; table++) {
                if (wrote(table, iova)) {
                    return;
                }
            }
            throw new IllegalStateException("no page table tracks what devices write");
        }

        private boolean wrote(int table, long iova) {
            Frame frame = new Frame();
            MemorySegment struct = frame.arg.asSlice(0, 80).fill((byte) 0);
            struct.set(JAVA_INT, 0, 72);
            struct.set(JAVA_INT, 4, DIRTY);
            struct.set(JAVA_INT, 8, table);
            struct.set(JAVA_LONG, 24, iova);
            struct.set(JAVA_LONG, 32, 2 * PAGE); // each page has a bit
            struct.set(JAVA_LONG, 40, PAGE);
            struct.set(JAVA_LONG, 48, struct.address() + 72);
            struct.set(JAVA_LONG, 72, 0b11);
            return machine.ioctl(frame, node.iommufd, IOMMU_TEST_CMD, struct) == 0 && struct.get(JAVA_LONG, 56) == 2;
        }

        /** Has its virtual IOMMU tell something of it. */
        void event() {
            check(Operation.VEVENTQ_READ, test(node.iommufd, TRIGGER_VEVENT, 0, new int[] {node.id}, new int[0]));
        }

        /** Does its IOMMU remember something of the device? */
        boolean remembersDevice(int index, int value) {
            return test(node.iommufd, DEV_CHECK_CACHE, node.id, new int[] {index, value}, new int[0]) == 0;
        }

        /** Does its IOMMU remember something of a nested page table? */
        boolean remembers(int table, int index, int value) {
            return test(node.iommufd, MD_CHECK_IOTLB, table, new int[] {index, value}, new int[0]) == 0;
        }
    }

    // ---- the types of the mock's driver

    private Object syscall(Method method, Object[] arguments) throws Throwable {
        if (method.getName().equals("open")) {
            int result = (int) pass(machine, method, arguments);
            if (arguments[1].equals("/dev/iommu")) {
                lastIommufd = result;
            }
            return result;
        }
        if (method.getName().equals("ioctl") && arguments[3] instanceof MemorySegment struct) {
            return ioctl(method, arguments, struct);
        }
        if (method.getName().equals("read") && eventQueues.contains((int) arguments[1])) {
            return readEvents((Frame) arguments[0], (int) arguments[1], (MemorySegment) arguments[2]);
        }
        if (method.getName().equals("close")) {
            eventQueues.remove((int) arguments[1]);
        }
        return pass(machine, method, arguments);
    }

    /** An event of the mock is the guest's number of the device. In one of SMMUv3's it is the upper half of the first word. */
    private long readEvents(Frame frame, int fd, MemorySegment target) {
        long most = target.byteSize() / (HEADER + SMMU_EVENT) * (HEADER + Integer.BYTES);
        long size = machine.read(frame, fd, target.asSlice(0, most));
        if (size <= 0) {
            return size;
        }
        MemorySegment given = MemorySegment.ofArray(target.asSlice(0, size).toArray(JAVA_BYTE));
        long to = 0;
        for (long at = 0; at < size; at += HEADER) {
            MemorySegment.copy(given, at, target, to, HEADER);
            boolean lost = given.get(JAVA_INT_UNALIGNED, at) != 0;
            to += HEADER;
            if (!lost) {
                target.asSlice(to, SMMU_EVENT).fill((byte) 0);
                target.set(JAVA_INT_UNALIGNED, to + 4, given.get(JAVA_INT_UNALIGNED, at + HEADER));
                to += SMMU_EVENT;
                at += Integer.BYTES;
            }
        }
        return to;
    }

    private Object ioctl(Method method, Object[] arguments, MemorySegment struct) throws Throwable {
        int request = (int) arguments[2];
        if (request == IOMMU_HWPT_ALLOC() && struct.get(JAVA_INT, 24) == IOMMU_HWPT_DATA_ARM_SMMUV3()) {
            struct.set(JAVA_INT, 24, HWPT_DATA_SELFTEST);
            struct.set(JAVA_INT, 28, 4); // data_len: the driver takes no more than it knows
        } else if (request == IOMMU_VIOMMU_ALLOC()) {
            return allocViommu(method, arguments, struct);
        } else if (request == IOMMU_VEVENTQ_ALLOC()) {
            struct.set(JAVA_INT, 12, VEVENTQ_TYPE_SELFTEST);
            int result = (int) pass(machine, method, arguments);
            if (result == 0) {
                eventQueues.add(struct.get(JAVA_INT, 24));
            }
            return result;
        } else if (request == IOMMU_HW_QUEUE_ALLOC()) {
            struct.set(JAVA_INT, 12, SELFTEST);
        } else if (request == IOMMU_HWPT_INVALIDATE()) {
            boolean ofViommu = struct.get(JAVA_INT, 16) == IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3();
            pack(struct, ofViommu ? VIOMMU_COMMAND : HWPT_COMMAND);
            struct.set(JAVA_INT, 16, SELFTEST);
        }
        return pass(machine, method, arguments);
    }

    /** Makes the entries of an array as long as the mock's driver wants them. */
    private static void pack(MemorySegment invalidate, int length) {
        MemorySegment array = invalidate.asSlice(invalidate.get(JAVA_LONG, 8) - invalidate.address());
        int given = invalidate.get(JAVA_INT, 20);
        for (int i = 0; i < invalidate.get(JAVA_INT, 24); i++) {
            MemorySegment.copy(array, (long) i * given, array, (long) i * length, length);
        }
        invalidate.set(JAVA_INT, 20, length);
    }

    /** The mock's driver tells of its page in other places than Tegra's, and wants a number that the page begins with. */
    private int allocViommu(Method method, Object[] arguments, MemorySegment struct) throws Throwable {
        struct.set(JAVA_INT, 8, SELFTEST);
        if (struct.get(JAVA_INT, 24) == 0) { // without data
            return (int) pass(machine, method, arguments);
        }
        long address = struct.get(JAVA_LONG, 32);
        long data = address - struct.address();
        MemorySegment own = struct.asSlice(data + 16, VIOMMU_DATA_BYTES).fill((byte) 0);
        own.set(JAVA_INT, 0, FIRST_WORD_OF_PAGE);
        struct.set(JAVA_INT, 24, VIOMMU_DATA_BYTES);
        struct.set(JAVA_LONG, 32, own.address());
        int result = (int) pass(machine, method, arguments);
        MemorySegment.copy(own, 8, struct, data, 16);
        return result;
    }
}
