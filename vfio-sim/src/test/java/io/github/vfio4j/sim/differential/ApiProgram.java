package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.kvm_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Contract;
import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.DirtyTracking;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.Interrupt;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.KvmUser;
import io.github.vfio4j.KvmVm;
import io.github.vfio4j.NoIommu;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.FfmKernel;
import io.github.vfio4j.ffm.gen.kvm_create_device;
import io.github.vfio4j.ffm.port.Notes;
import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.ffm.port.Syscalls;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * A program that does the steps of a sequence through the API on one kernel, as far as the API has words for them. Its
 * {@link Side} knows the descriptors behind the handles by the same slots, so that a step can be tried past the API, too.
 */
final class ApiProgram {
    /** What became of a step, and the same step as a system call. */
    record Attempt(ApiAnswer answer, Step asCall) {}

    private static final String FUNCTION = "[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]";
    private static final int REGION_SHIFT = 40;
    private static final int COMMAND = 4;
    private static final int COMMAND_MEMORY = 2;
    private static final int COMMAND_MASTER = 4;
    private static final int READ_AND_WRITE = 3;
    private static final int SET_IRQS_HEADER = 20;

    final Side side;
    private final FfmKernel kernel;
    private final boolean topMappings;
    private int lastOpened; // the last descriptor that the kernel gave
    private Vfio vfio;
    private final Object[] handles = new Object[Side.SLOTS];
    private final Map<Group, Container> members = new IdentityHashMap<>();
    private final Map<Container, Type1> iommus = new IdentityHashMap<>();
    private final Map<Container, NoIommu> unsafe = new IdentityHashMap<>();
    private final Map<Type1, Map<Long, DmaBuffer>> buffers = new IdentityHashMap<>();
    private final Map<Type1, DirtyTracking> trackings = new IdentityHashMap<>();
    private final Map<KvmVm, Map<Object, KvmUser>> users = new IdentityHashMap<>();
    private final Map<Device, Map<Integer, Interrupts>> interrupts = new IdentityHashMap<>();
    private final Map<Object, String> names = new IdentityHashMap<>(); // of devices
    private final DeviceWords words = new DeviceWords(this);

    ApiProgram(Side side, SysFs sysfs, boolean topMappings) {
        this.side = side;
        this.kernel = new FfmKernel(side.name, watched(side.calls), sysfs, Notes.linux());
        this.topMappings = topMappings;
    }

    /** The system calls, with an eye on the descriptors that come and go. */
    private Syscalls watched(Syscalls calls) {
        return (Syscalls) Proxy.newProxyInstance(Syscalls.class.getClassLoader(), new Class<?>[] {Syscalls.class}, (proxy, method, args) -> {
            Object result;
            try {
                result = method.invoke(calls, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
            switch (method.getName()) {
                case "open" -> lastOpened = (int) result;
                case "ioctl" -> {
                    if ((int) args[2] == VFIO_GROUP_GET_DEVICE_FD()) {
                        lastOpened = (int) result;
                    } else if ((int) args[2] == (int) KVM_CREATE_DEVICE() && (int) result == 0) {
                        lastOpened = kvm_create_device.fd((MemorySegment) args[3]);
                    }
                }
                case "close" -> side.lost((int) args[1]);
                default -> {}
            }
            return result;
        });
    }

    void begin(Contract contract) {
        vfio = Vfio.on(kernel, contract);
    }

    /** Closes what a sequence left open. */
    ApiAnswer end() {
        ApiAnswer answer = attempt(() -> {
            vfio.close();
            return "";
        });
        Arrays.fill(handles, null);
        members.clear();
        iommus.clear();
        unsafe.clear();
        words.clear();
        buffers.clear();
        trackings.clear();
        interrupts.clear();
        names.clear();
        users.clear();
        side.end();
        return answer;
    }

    private static ApiAnswer attempt(Supplier<Object> call) {
        try {
            return new ApiAnswer.Did(String.valueOf(call.get()));
        } catch (RuleViolation e) {
            return new ApiAnswer.Refused(e.rule().orElseThrow());
        } catch (VfioException e) {
            return new ApiAnswer.Failed(e.operation(), e.errno());
        } catch (IndexOutOfBoundsException e) {
            return new ApiAnswer.NoSuchIndex();
        } catch (IllegalArgumentException | UnsupportedOperationException e) {
            return new ApiAnswer.NoWords();
        } catch (RuntimeException | AssertionError e) {
            return new ApiAnswer.BrokeDown(e.toString());
        }
    }

    static Attempt tried(Step asCall, Supplier<Object> call) {
        return new Attempt(attempt(call), asCall);
    }

    static Attempt noWords(Step step) {
        return new Attempt(new ApiAnswer.NoWords(), step);
    }

    /** Does a step through the API. The unbinding of a device that it closed has ended when this returns. */
    Attempt run(Step step) {
        Attempt attempt = attempt(step);
        side.settle();
        return attempt;
    }

    private Attempt attempt(Step step) {
        return switch (step) {
            case Open(int into, String path) -> open(step, into, path);
            case Close(int slot) -> close(step, slot);
            case Ioctl(int slot, int request, long value) -> switch (handle(slot)) {
                case Container container -> ofContainer(step, container, request, value);
                case Group group when request == VFIO_GROUP_UNSET_CONTAINER() -> unset(step, group);
                case Device device when request == VFIO_DEVICE_RESET() -> tried(step, () -> {
                    device.reset();
                    return "";
                });
                default -> noWords(step);
            };
            case IoctlStruct call -> switch (handle(call.fd())) {
                case Container container -> ofContainer(call, container);
                case Group group -> ofGroup(call, group);
                case Device device -> ofDevice(call, device);
                default -> noWords(step);
            };
            case Step.Map map when handle(map.fd()) instanceof Device device -> map(map, device);
            case Read read when read.offset() >= 0 && handle(read.fd()) instanceof Device device -> read(read, device);
            case Write write when write.offset() >= 0 && handle(write.fd()) instanceof Device device -> write(write, device);
            case Event event -> own(step, event.into());
            case MakeVm vm -> own(step, vm.into());
            case MakeVmDevice make when make.type() == KVM_DEV_TYPE_VFIO() && make.flags() == 0 && isOwn(make.vm()) ->
                tried(step, () -> {
                    opened(make.into(), vfio.adoptKvmVm(side.descriptor(make.vm())));
                    return "";
                });
            case VmAttribute attribute when attribute.set()
                            && attribute.group() == KVM_DEV_VFIO_FILE()
                            && handle(attribute.vfio()) instanceof KvmVm vm -> kvm(attribute, vm, handle(attribute.fd()));
            case Attribute ofRoot -> {
                ofRoot.run(side);
                yield noWords(step);
            }
            case Second(Step other) when !(other instanceof Pass) -> {
                step.run(side);
                yield noWords(step);
            }
            default -> noWords(step);
        };
    }

    Object handle(int slot) {
        return slot >= 0 && handles[slot] != null ? handles[slot] : this; // this: nothing that has words
    }

    /** A file of the program's own, of which the API knows nothing. */
    private Attempt own(Step step, int into) {
        if (step.run(side).result() >= 0) {
            handles[into] = null;
        }
        return noWords(step);
    }

    boolean isOwn(int slot) {
        return slot >= 0 && handles[slot] == null && side.isOpen(slot);
    }

    private Attempt kvm(VmAttribute attribute, KvmVm vm, Object file) {
        KvmUser user = users.computeIfAbsent(vm, v -> new IdentityHashMap<>()).get(file);
        if (attribute.attribute() == KVM_DEV_VFIO_FILE_ADD() && (file instanceof Group || file instanceof Device)) {
            return tried(attribute, () -> {
                users.get(vm).put(file, file instanceof Group group ? vm.add(group) : vm.add((Device) file));
                return "";
            });
        }
        if (attribute.attribute() == KVM_DEV_VFIO_FILE_DEL() && user != null) {
            return tried(attribute, () -> {
                user.release();
                users.get(vm).remove(file);
                return "";
            });
        }
        return noWords(attribute);
    }

    private <T> T opened(int into, T handle) {
        handles[into] = handle;
        side.opened(into, lastOpened);
        return handle;
    }

    private Attempt open(Step step, int into, String path) {
        if (path.equals(Generator.CONTAINER)) {
            return tried(step, () -> {
                opened(into, vfio.openContainer());
                return "";
            });
        }
        if (path.equals(Generator.KVM)) {
            return own(step, into);
        }
        String node = side.path(path).substring(path.lastIndexOf('/') + 1);
        String number = node.replaceFirst("^noiommu-", "");
        if (!number.matches("\\d+")) {
            return noWords(step);
        }
        if (!node.equals(number)) {
            return tried(step, () -> {
                opened(into, vfio.openUnsafeNoIommuGroup(Integer.parseInt(number)));
                return "";
            });
        }
        return tried(step, () -> {
            opened(into, vfio.openGroup(Integer.parseInt(number)));
            return "";
        });
    }

    private Attempt close(Step step, int slot) {
        if (!(handle(slot) instanceof AutoCloseable handle)) {
            if (slot >= 0 && side.isOpen(slot)) {
                side.close(slot);
            }
            return noWords(step);
        }
        return tried(step, () -> {
            try {
                handle.close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            return "";
        });
    }

    // ---- containers

    private Attempt ofContainer(Step step, Container container, int request, long value) {
        Optional<IommuType> type =
                Arrays.stream(IommuType.values()).filter(t -> t.number() == value).findFirst();
        if (request == VFIO_CHECK_EXTENSION() && type.isPresent()) {
            return tried(step, () -> container.supports(type.get()));
        }
        if (request == VFIO_SET_IOMMU() && value == VFIO_NOIOMMU_IOMMU()) {
            return tried(step, () -> {
                unsafe.put(container, container.setUnsafeNoIommu());
                return "";
            });
        }
        if (request == VFIO_SET_IOMMU() && type.isPresent()) {
            return tried(step, () -> {
                iommus.put(container, container.setIommu(type.get()));
                return "";
            });
        }
        return noWords(step);
    }

    private Attempt ofContainer(IoctlStruct call, Container container) {
        Type1 iommu = iommus.get(container);
        if (iommu == null) {
            return noWords(call); // the type comes from SET_IOMMU
        }
        List<Field> fields = call.fields();
        if (call.request() == VFIO_IOMMU_GET_INFO() && fields.size() == 5 && number(fields.get(0)) >= 16) {
            return tried(call, iommu::info);
        }
        if (call.request() == VFIO_IOMMU_MAP_DMA() && fields.size() == 5 && number(fields.get(0)) >= 32) {
            return mapDma(call, iommu);
        }
        if (call.request() == VFIO_IOMMU_UNMAP_DMA() && fields.size() == 4 && number(fields.get(0)) >= 24) {
            return unmapDma(call, iommu);
        }
        return call.request() == VFIO_IOMMU_DIRTY_PAGES() ? dirtyPages(call, iommu) : noWords(call);
    }

    private Attempt unmapDma(IoctlStruct call, Type1 iommu) {
        int flags = (int) number(call.fields().get(1));
        long iova = number(call.fields().get(2));
        long size = number(call.fields().get(3));
        DmaBuffer buffer = buffersOf(iommu).get(iova);
        if (flags == 0) {
            return tried(call, () -> iommu.unmap(iova, size));
        } else if (flags == VFIO_DMA_UNMAP_FLAG_ALL() && iova == 0 && size == 0) {
            return tried(call, iommu::unmapAll);
        } else if (flags == VFIO_DMA_UNMAP_FLAG_VADDR() && buffer != null && buffer.size() == size) {
            return tried(call, () -> {
                iommu.takeAddress(buffer);
                return "";
            });
        }
        return noWords(call);
    }

    private Attempt dirtyPages(IoctlStruct call, Type1 iommu) {
        List<Field> fields = call.fields();
        DirtyTracking tracking = trackings.get(iommu);
        int flags = fields.size() < 2 || number(fields.get(0)) < 8 ? 0 : (int) number(fields.get(1));
        if (flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_START()) {
            return tried(call, () -> {
                trackings.put(iommu, iommu.trackDirtyPages());
                return "";
            });
        } else if (flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP() && tracking != null) {
            return tried(call, () -> {
                tracking.close();
                return "";
            });
        } else if (flags == VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP() && tracking != null && fields.size() == 7) {
            long iova = number(fields.get(2));
            long size = number(fields.get(3));
            if (size < 0 || size / Region.PAGE > Field.Bitmap.BYTES * Byte.SIZE) {
                return noWords(call); // only the library's own bitmap would be large enough
            }
            Step asCall = ioctl(
                    call.fd(),
                    call.request(),
                    u32(48),
                    u32(flags),
                    u64(iova),
                    u64(size),
                    u64(Region.PAGE),
                    u64(Field.Bitmap.BYTES),
                    bitmap(0, 0));
            return tried(asCall, () -> tracking.read(iova, size).nextDirty(0));
        }
        return noWords(call);
    }

    /** The API maps memory of its own, in whole pages. */
    private Attempt mapDma(IoctlStruct call, Type1 iommu) {
        int flags = (int) number(call.fields().get(1));
        Optional<Access> access =
                Arrays.stream(Access.values()).filter(a -> a.flags() == flags).findFirst();
        long iova = number(call.fields().get(3));
        long size = number(call.fields().get(4));
        DmaBuffer mapped = buffersOf(iommu).get(iova);
        if (flags == VFIO_DMA_MAP_FLAG_VADDR() && mapped != null && mapped.size() == size) {
            Step again = ioctl(
                    call.fd(), call.request(), u32(32), u32(flags), Step.address(Region.RAM, 0), u64(iova), u64(size));
            return tried(again, () -> {
                iommu.giveAddress(mapped);
                return "";
            });
        }
        long whole = size + Region.PAGE - 1 & -Region.PAGE;
        boolean memory = call.fields().get(2) instanceof Field.Address(Region region, long offset)
                && region == Region.RAM
                && offset % Region.PAGE == 0;
        boolean harms = iova + whole == 0 && !topMappings;
        if (access.isEmpty() || !memory || size < 0 || size > Region.RAM.bytes() || harms) {
            return noWords(call);
        }
        Step asCall = ioctl(
                call.fd(), call.request(), u32(32), u32(flags), Step.address(Region.RAM, 0), u64(iova), u64(whole));
        return tried(asCall, () -> {
            buffersOf(iommu).put(iova, iommu.allocateAt(iova, size, access.get()));
            return "";
        });
    }

    private Map<Long, DmaBuffer> buffersOf(Type1 iommu) {
        return buffers.computeIfAbsent(iommu, i -> new HashMap<>());
    }

    // ---- groups

    private Attempt unset(Step step, Group group) {
        Container container = members.get(group);
        if (container == null || !isOpen(container)) {
            container = anyOpenContainer();
        }
        if (container == null) {
            return noWords(step);
        }
        Container from = container;
        return tried(step, () -> {
            from.detach(group);
            members.remove(group);
            return "";
        });
    }

    private Container anyOpenContainer() {
        for (Object handle : handles) {
            if (handle instanceof Container container && isOpen(container)) {
                return container;
            }
        }
        return null;
    }

    private boolean isOpen(Object handle) {
        int slot = Arrays.asList(handles).indexOf(handle);
        return slot >= 0 && side.isOpen(slot);
    }

    private Attempt ofGroup(IoctlStruct call, Group group) {
        List<Field> fields = call.fields();
        if (call.into() >= 0) {
            return openDevice(call, group, ((Field.Text) fields.getFirst()).text());
        }
        if (call.request() == VFIO_GROUP_GET_STATUS() && number(fields.getFirst()) == 8) {
            return tried(call, group::status);
        }
        if (call.request() == VFIO_GROUP_SET_CONTAINER()
                && fields.getFirst() instanceof Field.Descriptor(int slot)
                && handle(slot) instanceof Container container) {
            return tried(call, () -> {
                container.attach(group);
                members.put(group, container);
                return "";
            });
        }
        return noWords(call);
    }

    private Attempt openDevice(IoctlStruct call, Group group, String name) {
        Container container = members.get(group);
        NoIommu none = container == null ? null : unsafe.get(container);
        if (none != null && name.matches(FUNCTION)) {
            return tried(call, () -> openedDevice(call, name, none.openDevice(group, PciAddress.parse(name))));
        }
        Type1 iommu = container == null ? null : iommus.get(container);
        if (iommu == null) { // one that has ended, or another container's
            iommu = iommus.values().stream().findFirst().orElse(null);
        }
        if (iommu == null || !name.matches(FUNCTION)) {
            return noWords(call);
        }
        Type1 through = iommu;
        return tried(call, () -> openedDevice(call, name, through.openDevice(group, PciAddress.parse(name))));
    }

    private DeviceInfo openedDevice(IoctlStruct call, String name, Device device) {
        words.opened(device, call.fd());
        names.put(device, name);
        return opened(call.into(), device).info();
    }

    // ---- devices

    private Attempt ofDevice(IoctlStruct call, Device device) {
        List<Field> fields = call.fields();
        boolean ofInfo = call.request() == VFIO_DEVICE_GET_REGION_INFO() || call.request() == VFIO_DEVICE_GET_IRQ_INFO();
        if (!ofInfo && call.request() != VFIO_DEVICE_SET_IRQS()) {
            return words.attempt(call, device);
        }
        if (fields.size() < 4) {
            return noWords(call);
        }
        int size = (int) number(fields.get(0));
        int index = (int) number(fields.get(2));
        if (call.request() == VFIO_DEVICE_GET_REGION_INFO() && size >= 32) {
            return tried(call, () -> device.region(index).info());
        }
        if (call.request() == VFIO_DEVICE_GET_IRQ_INFO() && size >= 16) {
            return tried(call, () -> device.irq(index).info());
        }
        boolean whole = fields.size() >= 5 && Integer.compareUnsigned(size, SET_IRQS_HEADER) >= 0;
        return call.request() == VFIO_DEVICE_SET_IRQS() && whole && isOpenOnce(device)
                ? setIrqs(call, device, index)
                : noWords(call);
    }

    /** What another handle of the same device enabled is nothing that the library looks at. */
    private boolean isOpenOnce(Device device) {
        return names.get(device) == null || Arrays.stream(handles)
                        .filter(other -> names.get(device).equals(names.get(other)) && isOpen(other))
                        .count() <= 1;
    }

    private Attempt setIrqs(IoctlStruct call, Device device, int index) {
        int flags = (int) number(call.fields().get(1));
        int start = (int) number(call.fields().get(3));
        int count = (int) number(call.fields().get(4));
        Map<Integer, Interrupts> known = interrupts.computeIfAbsent(device, d -> new HashMap<>());
        Interrupts enabled = known.get(index);
        int trigger = VFIO_IRQ_SET_ACTION_TRIGGER();
        if (flags == (VFIO_IRQ_SET_DATA_EVENTFD() | trigger)
                && call.fields().size() > 5
                && call.fields().get(5) instanceof Field.Descriptor(int event)
                && isOwn(event)
                && count > 0
                && count <= 1000) {
            List<Field> fields = new ArrayList<>(
                    List.of(u32(SET_IRQS_HEADER + 4 * count), u32(flags), u32(index), u32(start), u32(count)));
            for (int i = 0; i < count; i++) {
                fields.add(fd(event));
            }
            return tried(new IoctlStruct(NEGATIVE, call.fd(), call.request(), fields), () -> {
                if (enabled == null) {
                    known.put(index, device.irq(index).enable(start, count));
                } else {
                    enabled.add(start, count);
                }
                return "";
            });
        }
        if (flags == (VFIO_IRQ_SET_DATA_NONE() | trigger) && count == 0 && start == 0 && enabled != null) {
            return tried(call, () -> {
                enabled.close();
                known.remove(index);
                return "";
            });
        }
        int data = flags & VFIO_IRQ_SET_DATA_TYPE_MASK();
        int action = flags & VFIO_IRQ_SET_ACTION_TYPE_MASK();
        if (data == VFIO_IRQ_SET_DATA_NONE() && count == 1 && enabled != null && has(enabled, start)) {
            Interrupt one = enabled.get(start);
            if (action == trigger) {
                return tried(call, () -> {
                    one.trigger();
                    return one.poll();
                });
            } else if (action == VFIO_IRQ_SET_ACTION_MASK()) {
                return tried(call, () -> {
                    one.mask();
                    return "";
                });
            } else if (action == VFIO_IRQ_SET_ACTION_UNMASK()) {
                return tried(call, () -> {
                    one.unmask();
                    return "";
                });
            }
        }
        return noWords(call);
    }

    private static boolean has(Interrupts enabled, int number) {
        return attempt(() -> enabled.get(number)) instanceof ApiAnswer.Did;
    }

    private Attempt map(Step.Map map, Device device) {
        int index = (int) (map.offset() >>> REGION_SHIFT);
        if ((map.offset() & (1L << REGION_SHIFT) - 1) != 0) {
            return noWords(map); // regions are mapped as a whole
        }
        ApiAnswer known = attempt(() -> device.region(index).info());
        if (!(known instanceof ApiAnswer.Did)) {
            return noWords(map);
        }
        long size = device.region(index).info().size();
        Step asCall = Step.map(map.into(), map.fd(), size, READ_AND_WRITE, Syscalls.MAP_SHARED, map.offset());
        return tried(asCall, () -> {
            device.region(index).map();
            return "";
        });
    }

    private Attempt read(Read read, Device device) {
        int index = (int) (read.offset() >>> REGION_SHIFT);
        long at = read.offset() & (1L << REGION_SHIFT) - 1;
        if (!(attempt(() -> device.region(index)) instanceof ApiAnswer.Did) && isOpen(device)) {
            return noWords(read); // without its size it is not read
        }
        MemorySegment target = side.buffer.asSlice(0, read.size());
        Attempt attempt = tried(read, () -> {
            device.region(index).read(at, target);
            byte[] bytes = target.toArray(ValueLayout.JAVA_BYTE);
            Masks.hide(read, bytes);
            return HexFormat.of().formatHex(bytes);
        });
        // The end of a region is the library's own limit: the kernel reads less.
        return attempt.answer() instanceof ApiAnswer.NoSuchIndex ? noWords(read) : attempt;
    }

    /** Configuration space is written in words of its own. */
    private Attempt write(Write write, Device device) {
        int at = (int) (write.offset() & (1L << REGION_SHIFT) - 1);
        if (write.offset() >>> REGION_SHIFT != VFIO_PCI_CONFIG_REGION_INDEX() || at != COMMAND || write.bytes().size() != 2) {
            return noWords(write);
        }
        int command = write.bytes().getFirst();
        return tried(write, () -> {
            if ((command & COMMAND_MEMORY) != 0) {
                device.config().enableMemory();
            }
            if ((command & COMMAND_MASTER) != 0) {
                device.config().enableBusMaster();
            } else {
                device.config().disableBusMaster();
            }
            return device.config().memoryEnabled();
        });
    }

    static long number(Field field) {
        return switch (field) {
            case Field.U32(int value) -> Integer.toUnsignedLong(value);
            case Field.U64(long value) -> value;
            default -> -1;
        };
    }
}
