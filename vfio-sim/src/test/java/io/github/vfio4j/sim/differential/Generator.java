package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.kvm_h.*;
import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Region.PAGE;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.ffm.port.Syscalls;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Makes a sequence from a seed: mostly what a program would do, often at the edge of a rule, sometimes nonsense. A second
 * process may take part. It follows what the first kernel answered, to know what is open and mapped. The end closes everything, in any order, and
 * opens every group once more.
 *
 * <p>Left out are calls that harm a real kernel (bitmaps of pages of size 0, a mapping that ends at the top of the address
 * space before Linux 7), pointers to memory that is not the program's (but null), and what reaches beyond VFIO.
 */
final class Generator implements Lockstep.Source {
    private static final int FIRST_GROUP = 2; // slots: containers 0 and 1, then anything
    static final String CONTAINER = "/dev/vfio/vfio";
    static final String UNSAFE_GROUP = "/dev/vfio/noiommu-$unsafe";
    private static final String SHARED_GROUP = "/dev/vfio/$shared";
    private static final String CARD_GROUP = "/dev/vfio/$card"; // opened for its interrupts alone
    private static final List<String> MEDIATED = List.of("/dev/vfio/$mtty", "/dev/vfio/$second_mtty");
    private static final long MOST_UNPINNED = 1L << 32; // more keeps Linux busy for years (set-container.endless)
    static final String KVM = "/dev/kvm";
    private static final int LONGEST = 40;
    private static final int CONFIG = VFIO_PCI_CONFIG_REGION_INDEX();

    private enum Kind {
        CONTAINER,
        GROUP,
        DEVICE,
        EVENT,
        CARD, // a device of which interrupts alone are compared
        MEDIATED, // a mediated device
        KVM,
        VM,
        VM_DEVICE;

        /** Is what it answers to any request simulated? */
        boolean ofVfio() {
            return compareTo(EVENT) <= 0;
        }
    }

    /** What there is on both kernels, and what may be done there. */
    record Scope(boolean topMappings, boolean mediated, boolean kvm, boolean unsafe, List<String> hostDrivers) {
        List<String> groups() {
            List<String> groups = new ArrayList<>(List.of("/dev/vfio/$edu", "/dev/vfio/$testdev", SHARED_GROUP));
            if (mediated) {
                groups.addAll(MEDIATED);
            }
            return groups;
        }
    }

    /** What is known of an open descriptor. */
    private static final class Known {
        final Kind kind;
        final String path; // of a device: its name
        Known container; // of a group
        boolean iommu; // of a container

        Known(Kind kind, String path) {
            this.kind = kind;
            this.path = path;
        }
    }

    private record Range(long iova, long size) {}

    /** What is known of a process. */
    private static final class Program {
        final Map<Integer, Known> open = new HashMap<>();
        final Map<Integer, Long> mapped = new HashMap<>();
    }

    private final SplittableRandom random;
    private final Scope scope;
    private final List<String> groups;
    private final boolean withVm;
    private final boolean withBindings;
    private final boolean withNoIommu;
    private final BindingSteps bindings;
    private final boolean withHotReset;
    private final DeviceSteps devices;
    private final Program first = new Program();
    private final Program second = new Program();
    private final boolean secondTakesPart;
    private final boolean aboutInterrupts;
    private final IrqSteps irqs;
    private Map<Integer, Known> open; // of the process whose turn it is
    private Map<Integer, Long> mapped;
    private final List<Range> ranges = new ArrayList<>(); // mapped for DMA once
    private final TreeSet<String> groupsUsed = new TreeSet<>();
    private final Deque<Step> planned = new ArrayDeque<>();
    private int left;
    private boolean closing;

    Generator(long seed, Scope scope) {
        this.random = new SplittableRandom(seed);
        this.scope = scope;
        groups = scope.groups();
        withNoIommu = scope.unsafe && chance(4);
        if (withNoIommu) {
            groups.addAll(List.of(UNSAFE_GROUP, UNSAFE_GROUP));
        }
        withVm = scope.kvm && chance(8);
        withBindings = chance(5);
        bindings = new BindingSteps(this, scope.hostDrivers);
        withHotReset = random.nextInt(500) == 0; // takes seconds
        devices = new DeviceSteps(this);
        left = random.nextInt(5, LONGEST);
        secondTakesPart = chance(40);
        turn(first);
        irqs = new IrqSteps(random, () -> file(Kind.EVENT), () -> file(Kind.CONTAINER));
        aboutInterrupts = !withNoIommu && !withHotReset && chance(25);
        if (aboutInterrupts) {
            left += LONGEST / 2;
            planInterrupts();
        } else if (chance(85)) {
            planSetUp();
        }
    }

    /** The usual way in, as far as a program gets. */
    private void planSetUp() {
        int depth = random.nextInt(2, 10);
        int group = random.nextInt(groups.size());
        if (withNoIommu) {
            planned.addAll(bindings.unsafe());
            group = groups.size() - 1;
        } else if (withHotReset) {
            depth = 5;
            group = groups.indexOf(SHARED_GROUP);
        }
        boolean slow = groups.get(group).equals(SHARED_GROUP);
        planned.add(open(0, CONTAINER));
        planned.add(open(FIRST_GROUP, groups.get(group)));
        if (depth > 2) {
            planned.add(ioctl(FIRST_GROUP, VFIO_GROUP_SET_CONTAINER(), fd(0)));
        }
        if (depth > 3) {
            planned.add(ioctl(0, VFIO_SET_IOMMU(), type()));
        }
        if (depth > 4 && (!slow || withHotReset || chance(3))) {
            planned.add(getDevice(FIRST_GROUP + 1, FIRST_GROUP, text(rightName(groups.get(group)))));
        }
        if (chance(40)) {
            int other = (group + 1 + random.nextInt(groups.size() - 1)) % groups.size();
            planned.add(open(FIRST_GROUP + 2, groups.get(other)));
            if (chance(60)) {
                planned.add(ioctl(FIRST_GROUP + 2, VFIO_GROUP_SET_CONTAINER(), fd(0)));
            }
        }
        if (withVm) {
            planned.add(open(9, KVM));
            planned.add(makeVm(10, 9));
            planned.add(makeVmDevice(11, 10, KVM_DEV_TYPE_VFIO(), 0));
            planned.add(vmAttribute(11, true, KVM_DEV_VFIO_FILE(), KVM_DEV_VFIO_FILE_ADD(), FIRST_GROUP));
        }
    }

    /** The whole way to a device, and eventfds. */
    private void planInterrupts() {
        List<String> with = new ArrayList<>(List.of("/dev/vfio/$edu", CARD_GROUP, CARD_GROUP));
        if (scope.mediated) {
            with.add("/dev/vfio/$mtty");
        }
        String group = pick(with);
        planned.add(open(0, CONTAINER));
        planned.add(open(FIRST_GROUP, group));
        planned.add(ioctl(FIRST_GROUP, VFIO_GROUP_SET_CONTAINER(), fd(0)));
        planned.add(ioctl(0, VFIO_SET_IOMMU(), VFIO_TYPE1v2_IOMMU()));
        planned.add(getDevice(FIRST_GROUP + 1, FIRST_GROUP, text(rightName(group))));
        for (int i = 2; i < 5; i++) {
            planned.add(eventfd(FIRST_GROUP + i, chance(70) ? 0 : 1, chance(80) ? 0 : 1));
        }
    }

    private long type() {
        if (withNoIommu && chance(70)) {
            return VFIO_NOIOMMU_IOMMU();
        }
        return chance(60) ? VFIO_TYPE1v2_IOMMU() : VFIO_TYPE1_IOMMU();
    }

    @Override
    public Optional<Step> next() {
        if (!closing && left-- > 0) {
            turn(first);
            if (!planned.isEmpty() && chance(85)) {
                return Optional.of(planned.poll());
            }
            if (secondTakesPart && chance(30)) {
                turn(second);
            }
            return Optional.of(ofTurn(perhapsCut(any())));
        }
        if (!closing) {
            closing = true;
            planned.clear();
        }
        List<Step> ends = new ArrayList<>();
        for (Program program : List.of(second, first)) {
            turn(program);
            open.keySet().stream().sorted().forEach(slot -> ends.add(ofTurn(close(slot))));
            mapped.keySet().stream().sorted().forEach(slot -> ends.add(ofTurn(unmap(slot))));
        }
        if (!ends.isEmpty()) {
            return Optional.of(pick(ends));
        }
        if (planned.isEmpty() && !groupsUsed.isEmpty()) {
            String group = groupsUsed.pollFirst();
            planned.add(open(0, group));
        }
        return Optional.ofNullable(planned.poll());
    }

    private void turn(Program program) {
        open = program.open;
        mapped = program.mapped;
    }

    private Program other() {
        return open == first.open ? second : first;
    }

    private Step ofTurn(Step step) {
        return open == second.open && !isOfRoot(step) ? second(step) : step;
    }

    private static boolean isOfRoot(Step step) {
        return step instanceof Attribute || step instanceof DriverOf;
    }

    /** An open PCI device of the process whose turn it is, or a negative slot. */
    int openDevice() {
        List<Integer> devices =
                open.keySet().stream().filter(slot -> open.get(slot).kind == Kind.DEVICE).sorted().toList();
        return devices.isEmpty() ? NEGATIVE : pick(devices);
    }

    /** The name of an open device. */
    String nameOf(int device) {
        return open.get(device).path.strip();
    }

    /** A device's file, most likely. */
    int device() {
        return file(Kind.DEVICE);
    }

    boolean isMediated(int slot) {
        return open.containsKey(slot) && open.get(slot).kind == Kind.MEDIATED;
    }

    /** A group's file, most likely. */
    int group() {
        return file(Kind.GROUP);
    }

    /** An eventfd, most likely. */
    int event() {
        return file(Kind.EVENT);
    }

    /** A file of any kind. */
    int anyFile() {
        return file(pick(List.of(Kind.values())));
    }

    /** Plans some steps, and returns the first. */
    Step firstOf(List<Step> steps) {
        steps.subList(1, steps.size()).reversed().forEach(step -> planned.addFirst(step));
        return steps.getFirst();
    }

    List<String> groups() {
        return groups;
    }

    /** Sometimes puts a struct where the program's memory ends. */
    private Step perhapsCut(Step step) {
        if (!(step instanceof IoctlStruct call) || !chance(5)) {
            return step;
        }
        int whole = call.fields().stream().mapToInt(Field::size).sum();
        if (call.into() < 0) {
            return cut(chance(50) ? whole : random.nextInt(whole + 1), step);
        }
        int name = Math.min(whole - 1, 400); // without its end, so that nothing is opened
        return cut(random.nextInt(name + 1), new IoctlStruct(NEGATIVE, call.fd(), call.request(), call.fields()));
    }

    @Override
    public void answered(Step step, Outcome outcome) {
        turn(step instanceof Second ? second : first);
        learn(step instanceof Second(Step ofSecond) ? ofSecond : step, outcome);
    }

    private void learn(Step step, Outcome outcome) {
        boolean done = outcome.result() >= 0;
        switch (step) {
            case Open(int into, String path) when done -> {
                Kind kind = path.equals(CONTAINER) ? Kind.CONTAINER : path.equals(KVM) ? Kind.KVM : Kind.GROUP;
                open.put(into, new Known(kind, path));
                if (kind == Kind.GROUP && !closing) {
                    groupsUsed.add(path);
                }
            }
            case Close(int slot) -> open.remove(slot);
            case Step.Map(int into, int f, long length, int p, int g, long o) when done -> mapped.put(into, length);
            case Unmap(int slot) -> mapped.remove(slot);
            case Event(int into, int i, int f) when done -> open.put(into, new Known(Kind.EVENT, ""));
            case Ioctl(int slot, int request, long v) when done && open.containsKey(slot) -> {
                Known file = open.get(slot);
                if (request == VFIO_SET_IOMMU() && file.kind == Kind.CONTAINER) {
                    file.iommu = true;
                } else if (request == VFIO_GROUP_UNSET_CONTAINER() && file.kind == Kind.GROUP) {
                    leave(file);
                }
            }
            case IoctlStruct(int into, int slot, int request, List<Field> fields) when done && open.containsKey(slot) ->
                answered(into, open.get(slot), request, fields);
            case Cut(int bytes, IoctlStruct call) -> learn(call, outcome);
            case MakeVm(int into, int k) when done -> open.put(into, new Known(Kind.VM, ""));
            case MakeVmDevice(int into, int v, int t, int flags) when done && flags == 0 ->
                open.put(into, new Known(Kind.VM_DEVICE, ""));
            case Dup(int into, int slot) when done && open.containsKey(slot) -> open.put(into, open.get(slot));
            case Pass(int into, int slot) when done && open.containsKey(slot) -> other().open.put(into, open.get(slot));
            default -> {}
        }
    }

    private void leave(Known group) {
        Known container = group.container;
        group.container = null;
        if (container != null && open.values().stream().noneMatch(f -> f.container == container)) {
            container.iommu = false;
        }
    }

    private void answered(int into, Known file, int request, List<Field> fields) {
        if (into >= 0) {
            String name = ((Field.Text) fields.getFirst()).text();
            boolean card = name.strip().equals(TwinMachine.CARD);
            open.put(into, new Known(TwinMachine.MTTYS.contains(name) ? Kind.MEDIATED : card ? Kind.CARD : Kind.DEVICE, name));
        } else if (file.kind == Kind.GROUP && request == VFIO_GROUP_SET_CONTAINER()) {
            file.container = open.get(((Field.Descriptor) fields.getFirst()).slot());
        } else if (file.kind == Kind.CONTAINER && request == VFIO_IOMMU_MAP_DMA()) {
            ranges.add(new Range(((Field.U64) fields.get(3)).value(), ((Field.U64) fields.get(4)).value()));
        }
    }

    // ---- choices

    boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    int below(int bound) {
        return random.nextInt(bound);
    }

    <T> T pick(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    int oneOf(int... values) {
        return values[random.nextInt(values.length)];
    }

    long oneOf(long... values) {
        return values[random.nextInt(values.length)];
    }

    /** A descriptor, nearly always of the kind that is meant if there is one. */
    private int file(Kind kind) {
        List<Integer> right = open.keySet().stream().filter(s -> open.get(s).kind == kind).sorted().toList();
        if (!right.isEmpty() && chance(94)) {
            return pick(right);
        }
        List<Integer> others =
                open.keySet().stream().filter(s -> open.get(s).kind.ofVfio()).sorted().toList();
        if (!others.isEmpty() && chance(75)) {
            return pick(others);
        }
        return oneOf(NEGATIVE, NOT_OPEN);
    }

    /** A slot that is not taken, or -1. */
    int free() {
        return free(open);
    }

    private int free(Map<Integer, Known> taken) {
        List<Integer> free = Stream.iterate(0, slot -> slot + 1)
                .limit(Side.SLOTS)
                .filter(slot -> !taken.containsKey(slot))
                .toList();
        return free.isEmpty() ? -1 : pick(free);
    }

    private boolean has(Kind kind) {
        return open.values().stream().anyMatch(file -> file.kind == kind);
    }

    /** What fits, with its weight. */
    private Step any() {
        boolean iommu = open.values().stream().anyMatch(file -> file.iommu);
        boolean device = has(Kind.DEVICE);
        int[] weights = {
            8, // open
            6, // close
            2, // stat
            8, // set container
            4, // unset container
            3, // status
            6, // set iommu
            3, // check extension
            8, // get device
            iommu ? 4 : 1, // iommu info
            iommu ? 22 : 2, // map
            iommu ? 16 : 1, // unmap
            device ? 10 : 1, // infos of a device
            device ? 8 : 1, // mmap
            device ? 6 : 0, // munmap
            device ? 12 : 1, // read
            device ? 10 : 1, // write
            2, // eventfd
            has(Kind.EVENT) ? aboutInterrupts ? 40 : 4 : 0, // eventfd calls
            4, // unknown ioctl
            aboutInterrupts ? 90 : device ? 8 : 1, // interrupts
            device ? 1 : 0, // reset
            iommu ? 7 : 1, // dirty pages
            2, // dup
            secondTakesPart ? 8 : 0, // pass
            withVm ? 10 : 0, // KVM
            withHotReset ? 40 : device ? 7 : 1, // features and the like
            open == first.open ? (withBindings ? 30 : 0) + (withNoIommu ? 4 : 0) : 0, // drivers
        };
        int total = 0;
        for (int weight : weights) {
            total += weight;
        }
        int at = random.nextInt(total);
        int which = 0;
        while (at >= weights[which]) {
            at -= weights[which++];
        }
        return switch (which) {
            case 0 -> opening();
            case 1 -> open.isEmpty() ? close(oneOf(NEGATIVE, NOT_OPEN)) : close(pick(open.keySet().stream().sorted().toList()));
            case 2 -> chance(50) ? stat(pick(Stream.concat(groups.stream(), Stream.of(CONTAINER, "/dev/vfio/x", "/dev/vfio")).toList())) : stat(file(Kind.GROUP));
            case 3 -> ioctl(file(Kind.GROUP), VFIO_GROUP_SET_CONTAINER(), fd(file(Kind.CONTAINER)));
            case 4 -> ioctl(file(Kind.GROUP), VFIO_GROUP_UNSET_CONTAINER(), 0);
            case 5 -> chance(5)
                    ? ioctl(file(Kind.GROUP), VFIO_GROUP_GET_STATUS(), 0)
                    : ioctl(file(Kind.GROUP), VFIO_GROUP_GET_STATUS(), u32(argsz(8)), u32(oneOf(0, -1)));
            case 6 -> ioctl(file(Kind.CONTAINER), VFIO_SET_IOMMU(), chance(70) ? type() : number());
            case 7 -> ioctl(file(Kind.CONTAINER), VFIO_CHECK_EXTENSION(), number());
            case 8 -> openingDevice();
            case 9 -> iommuInfo();
            case 10 -> mapDma();
            case 11 -> unmapDma();
            case 12 -> deviceInfo();
            case 13 -> mapBar();
            case 14 -> mapped.isEmpty() ? opening() : unmap(pick(mapped.keySet().stream().sorted().toList()));
            case 15 -> reading();
            case 16 -> writing();
            case 17 -> free() < 0 ? any() : eventfd(free(), oneOf(0, 1, -1), chance(90) ? oneOf(0, 1) : oneOf(2, 4, 0x80000));
            case 18 -> countEvents();
            case 19 -> unknown();
            case 20 -> interrupts();
            case 21 -> ioctl(file(Kind.DEVICE), VFIO_DEVICE_RESET(), 0);
            case 22 -> dirtyPages();
            case 23 -> free() < 0 ? any() : dup(free(), file(pick(List.of(Kind.values()))));
            case 25 -> virtualMachine();
            case 26 -> devices.any();
            case 27 -> withNoIommu && chance(60) ? pick(bindings.unsafe()) : bindings.any();
            default -> {
                int into = free(other().open);
                yield into < 0 ? any() : pass(into, file(pick(List.of(Kind.values()))));
            }
        };
    }

    private Step interrupts() {
        if (has(Kind.CARD) && chance(90)) {
            return irqs.with(file(Kind.CARD));
        }
        return has(Kind.MEDIATED) && chance(90) ? irqs.withMediated(fileOrNone(Kind.MEDIATED)) : irqs.with(file(Kind.DEVICE));
    }

    private Step countEvents() {
        int event = file(Kind.EVENT);
        if (open.containsKey(event) && open.get(event).kind == Kind.DEVICE) {
            event = NOT_OPEN; // registers are not for reading along
        }
        return chance(aboutInterrupts ? 75 : 50)
                ? read(event, oneOf(8, 8, 8, 7, 9, 0))
                : write(event, chance(85) ? number64() : oneOfHex("", "01", "01020304050607"));
    }

    private String oneOfHex(String... values) {
        return values[random.nextInt(values.length)];
    }

    /** A counter for an eventfd, as bytes. */
    private String number64() {
        long value = oneOf(0L, 1L, 5L, -1L, -2L, 0xffff_ffffL);
        return HexFormat.of().toHexDigits(Long.reverseBytes(value));
    }

    /** An extension or a type of IOMMU. */
    private long number() {
        return chance(85)
                ? random.nextInt(0, 16)
                : oneOf(-1L, 0x1_0000_0001L, 0x1_0000_0003L, Integer.MAX_VALUE, Long.MIN_VALUE, 100L);
    }

    int argsz(int right) {
        return chance(88) ? right : oneOf(right - 1, right + 1, right + 4, right - 4, 0, -1, 4096);
    }

    // ---- steps

    private Step opening() {
        int into = free();
        if (into < 0) {
            return close(pick(open.keySet().stream().sorted().toList()));
        }
        int which = random.nextInt(20);
        if (which < 6 && open.values().stream().filter(f -> f.kind == Kind.CONTAINER).count() < 3) {
            return open(into, CONTAINER);
        }
        return open(into, which < 19 ? pick(groups) : pick(List.of("/dev/vfio/x", "/dev/vfio/99", "/dev/vfio")));
    }

    private static String rightName(String group) {
        return switch (group) {
            case "/dev/vfio/$edu" -> TwinMachine.EDU;
            case "/dev/vfio/$testdev" -> TwinMachine.TESTDEV;
            case CARD_GROUP -> TwinMachine.CARD;
            case "/dev/vfio/$mtty" -> TwinMachine.MTTYS.get(0);
            case "/dev/vfio/$second_mtty" -> TwinMachine.MTTYS.get(1);
            case UNSAFE_GROUP -> TwinMachine.UNSAFE;
            default -> TwinMachine.SHARED.getFirst();
        };
    }

    private Step openingDevice() {
        int group = file(Kind.GROUP);
        int into = free();
        if (chance(2) || into < 0) {
            return ioctl(group, VFIO_GROUP_GET_DEVICE_FD(), 0);
        }
        Known known = open.get(group);
        String right = known == null || known.kind != Kind.GROUP ? TwinMachine.EDU : rightName(known.path);
        boolean slow = right.equals(TwinMachine.SHARED.getFirst());
        boolean mediated = TwinMachine.MTTYS.contains(right);
        if (slow && chance(2)) {
            right = pick(TwinMachine.SHARED);
            slow = false;
        }
        // A wrong name, in place of one that is slow to open, is refused before anything else.
        if (chance(65) && !slow) {
            return getDevice(into, group, text(right));
        }
        String name = right;
        String uuid = "12345678-9abc-def0-1234-56789abcdef0";
        List<String> wrong = List.of(
                "", " ", "x", name.substring(1), name.substring(5), name + "x", name.substring(0, name.length() - 1),
                name.toUpperCase().replace(":", "-"), "0000:00:1f.7", TwinMachine.EDU + "\u0001",
                name + " vf_token=", name + " vf_token=x", name + " vf_token=" + uuid, name + " x", name + "  x=1",
                name + " vf_token=" + uuid + " vf_token=" + uuid, name + " vf_token=" + uuid + "0", name + "\t",
                name + " vf_token", name + " vf_token=" + uuid + " x", "x".repeat(4095), "x".repeat(4096), "x".repeat(4094),
                TwinMachine.EDU.equals(name) ? TwinMachine.TESTDEV : TwinMachine.EDU);
        List<String> odd = List.of(name + " ", name + "   ");
        return getDevice(into, group, text(!slow && !mediated && chance(15) ? pick(odd) : pick(wrong)));
    }

    private Step iommuInfo() {
        int container = file(Kind.CONTAINER);
        if (isSharedDevice(container)) {
            container = NOT_OPEN; // there it would be about a hot reset
        }
        if (chance(3)) {
            return ioctl(container, VFIO_IOMMU_GET_INFO(), 0);
        }
        int size = chance(60) ? oneOf(16, 20, 24, 28, 100, 112, 115, 116, 119, 120, 121, 128, 512) : argsz(120);
        return ioctl(container, VFIO_IOMMU_GET_INFO(), u32(size), u32(oneOf(0, -1)), u64(0), u32(0), u32(0));
    }

    private boolean isSharedDevice(int slot) {
        Known known = open.get(slot);
        return known != null && known.kind == Kind.DEVICE && TwinMachine.SHARED.contains(known.path.strip());
    }

    private long iova() {
        if (!ranges.isEmpty() && chance(45)) {
            Range range = pick(ranges);
            return range.iova + oneOf(0L, 0L, 0L, PAGE, -PAGE, range.size, range.size - PAGE, range.size + PAGE, 1L);
        }
        return switch (random.nextInt(24)) {
            case 0 -> oneOf(0xfedf_f000L, 0xfee0_0000L, 0xfeef_f000L, 0xfef0_0000L, 0xfedf_e000L);
            case 1 -> oneOf(0x7f_ffff_f000L, 0x80_0000_0000L, 0x7f_ffff_e000L, 1L << 48, 1L << 63);
            case 2 -> oneOf(-PAGE, -2 * PAGE, -1L, -2L, Long.MAX_VALUE, Long.MAX_VALUE - PAGE + 1);
            case 3 -> random.nextLong() & -PAGE;
            case 4 -> random.nextLong() >>> random.nextInt(64);
            default -> random.nextInt(16) * PAGE;
        };
    }

    private long size() {
        return switch (random.nextInt(24)) {
            case 0 -> 0;
            case 1 -> oneOf(1L, 8L, PAGE - 1, PAGE + 1, 512L);
            case 2 -> oneOf(-1L, -PAGE, -2 * PAGE, Long.MAX_VALUE, Long.MIN_VALUE, 1L << 40);
            case 3 -> random.nextInt(1, 300) * PAGE;
            default -> oneOf(PAGE, PAGE, PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE, 16 * PAGE);
        };
    }

    private Field address() {
        // Two mappings of a BAR share their address in the simulated kernel, so only one may be there.
        if (mapped.size() == 1 && chance(25)) {
            return inBar(mapped.keySet().iterator().next(), oneOf(0L, 0L, PAGE));
        }
        return switch (random.nextInt(30)) {
            case 0 -> u64(oneOf(0L, PAGE, 1L));
            case 1 -> u64(oneOf(-PAGE, -1L, -2 * PAGE, Long.MAX_VALUE, Long.MAX_VALUE - PAGE + 1));
            case 2 -> Step.address(Region.RAM, oneOf(1L, 8L, 100L, 4095L));
            case 3, 4 -> Step.address(Region.READ_ONLY, oneOf(0L, PAGE));
            case 5 -> Step.address(Region.NO_ACCESS, 0);
            case 6, 7 -> Step.address(Region.HOLE, oneOf(0L, 0L, PAGE, 2 * PAGE));
            default -> Step.address(Region.RAM, random.nextInt(32) * PAGE);
        };
    }

    /** Does the memory from an address on belong to the program as far as a mapping of this size reaches? */
    private static boolean known(Field address, long size) {
        if (size < 0) {
            return true; // wraps, or is refused for the range of IOVAs
        }
        return switch (address) {
            case Field.Address(Region region, long offset) -> offset + size <= region.bytes();
            case Field.U64(long value) -> value <= 0 || Long.compareUnsigned(value + size, 16 * PAGE) <= 0 || value < 0;
            default -> true;
        };
    }

    private Step mapDma() {
        int container = file(Kind.CONTAINER);
        if (isSharedDevice(container)) {
            container = NOT_OPEN;
        }
        if (chance(2)) {
            return ioctl(container, VFIO_IOMMU_MAP_DMA(), 0);
        }
        int flags = chance(85) ? oneOf(3, 3, 3, 1, 2) : oneOf(0, 4, 4, 4, 4, 5, 7, 8, 16, -1, 1 << 31);
        long iova = iova();
        long size = size();
        Field address = address();
        if (groupsUsed.stream().anyMatch(MEDIATED::contains) && Long.compareUnsigned(size, MOST_UNPINNED) > 0) {
            size = MOST_UNPINNED;
        }
        boolean beyond = !known(address, size) || address instanceof Field.InBar(int slot, long at) && at + size > mapped.get(slot);
        boolean atTop = iova + size == 0 && !scope.topMappings;
        if (atTop || beyond) {
            size = PAGE;
            iova = iova + size == 0 && !scope.topMappings ? 0 : iova;
            address = known(address, size) && !(address instanceof Field.InBar) ? address : Step.address(Region.RAM, 0);
        }
        return ioctl(container, VFIO_IOMMU_MAP_DMA(), u32(argsz(32)), u32(flags), address, u64(iova), u64(size));
    }

    private Step unmapDma() {
        int container = file(Kind.CONTAINER);
        if (isSharedDevice(container)) {
            container = NOT_OPEN;
        }
        if (chance(2)) {
            return ioctl(container, VFIO_IOMMU_UNMAP_DMA(), 0);
        }
        if (chance(10)) {
            return unmapDirty(container);
        }
        int flags = chance(70) ? 0 : oneOf(2, 2, 2, 4, 4, 4, 6, 6, 8, 16, -2, 1 << 31, 10);
        boolean all = (flags & 2) != 0 && chance(80);
        return ioctl(
                container,
                VFIO_IOMMU_UNMAP_DMA(),
                u32(argsz(24)),
                u32(flags & ~1), // without a bitmap of dirty pages
                u64(all ? 0 : iova()),
                u64(all ? 0 : size()));
    }

    private Step unmapDirty(int container) {
        return ioctl(
                container,
                VFIO_IOMMU_UNMAP_DMA(),
                u32(chance(90) ? 48 : oneOf(24, 32, 47, 0)),
                u32(chance(85) ? 1 : oneOf(3, 5, 7, 9)),
                u64(iova()),
                u64(size()),
                u64(bitmapPage()),
                u64(bitmapSize()),
                bitmapMemory());
    }

    private Step dirtyPages() {
        int container = file(Kind.CONTAINER);
        Known known = open.get(container);
        if (known != null && known.kind != Kind.CONTAINER) {
            container = NOT_OPEN; // elsewhere it is about features
        }
        int flags = chance(85) ? oneOf(1, 1, 1, 2, 4, 4, 4) : oneOf(0, 3, 5, 6, 8, -1);
        if (chance(3)) {
            return ioctl(container, VFIO_IOMMU_DIRTY_PAGES(), 0);
        }
        if (flags != 4) {
            return ioctl(container, VFIO_IOMMU_DIRTY_PAGES(), u32(argsz(8)), u32(flags));
        }
        return ioctl(
                container,
                VFIO_IOMMU_DIRTY_PAGES(),
                u32(argsz(48)),
                u32(flags),
                u64(iova()),
                u64(size()),
                u64(bitmapPage()),
                u64(bitmapSize()),
                bitmapMemory());
    }

    /** A page size of 0 is undefined behaviour in the kernel. */
    private long bitmapPage() {
        return chance(90) ? PAGE : oneOf(1L, 512L, 8192L, 4097L, 1L << 21, 1L << 63);
    }

    /** Never more than is compared: the kernel writes nothing behind. */
    private long bitmapSize() {
        return chance(85) ? Field.Bitmap.BYTES : oneOf(0L, 1L, 7L, 8L, 16L);
    }

    private Field bitmapMemory() {
        return bitmap(random.nextInt(1000) * PAGE, chance(70) ? 0 : 0xff);
    }

    private Step deviceInfo() {
        int device = file(Kind.DEVICE);
        int which = random.nextInt(3);
        if (chance(3)) {
            return ioctl(device, VFIO_DEVICE_GET_INFO() + which, 0);
        }
        int index = chance(90) ? random.nextInt(0, 10) : oneOf(-1, 100, Integer.MIN_VALUE, 1 << 16);
        return switch (which) {
            case 0 -> ioctl(
                    device, VFIO_DEVICE_GET_INFO(), u32(chance(50) ? argsz(24) : argsz(16)), u32(-1), u32(0), u32(0), u32(0), u32(0));
            case 1 -> ioctl(
                    device, VFIO_DEVICE_GET_REGION_INFO(), u32(argsz(32)), u32(oneOf(0, -1)), u32(index), u32(0), u64(0), u64(0));
            default -> ioctl(
                    device, VFIO_DEVICE_GET_IRQ_INFO(), u32(argsz(16)), u32(oneOf(0, -1)), u32(index), u32(0));
        };
    }

    private Step mapBar() {
        List<Integer> free = Stream.iterate(0, slot -> slot + 1)
                .limit(Side.MAPPINGS)
                .filter(slot -> !mapped.containsKey(slot))
                .toList();
        if (free.isEmpty()) {
            return unmap(pick(mapped.keySet().stream().sorted().toList()));
        }
        int device = file(Kind.DEVICE);
        long offset = chance(80) ? 0 : oneOf(PAGE, 1L << 20, (1L << 20) - PAGE, 16 << 20, (16 << 20) - PAGE, 1L, -PAGE, 1L << 39);
        long length = chance(80) ? oneOf(PAGE, PAGE, 2 * PAGE, 1L << 20) : oneOf(0L, 1L, 5000L, 16 << 20, -1L, 1L << 50);
        int prot = chance(80) ? 3 : oneOf(0, 1, 2, 4, 7);
        int flags = chance(88) ? Syscalls.MAP_SHARED : oneOf(Syscalls.MAP_PRIVATE, 0, 3, 4);
        return map(pick(free), device, length, prot, flags, (region() << 40) + offset);
    }

    private long region() {
        return chance(60) ? oneOf(0L, 2L) : oneOf(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L, 63L);
    }

    private Step reading() {
        int device = file(Kind.DEVICE);
        if (chance(65)) {
            long at = chance(80) ? oneOf(0L, 4L, 4L, 4L, 8L, 10L, 252L, 255L) : oneOf(253L, 256L, 257L, 4095L, 4096L, 1L << 39);
            int size = chance(80) ? oneOf(1, 2, 4) : oneOf(0, 3, 8, 16, 64, 256, 257, 300);
            return pread(device, size, ((long) CONFIG << 40) + at);
        }
        if (chance(5)) {
            return pread(device, 4, oneOf(-1L, Long.MIN_VALUE + 1, Long.MAX_VALUE));
        }
        long region = oneOf(0L, 0L, 2L, 3L, 4L, 6L, 8L, 9L, 100L);
        long at = chance(70) ? oneOf(0L, 4L) : oneOf(PAGE - 4, PAGE, (1L << 20) - 4, (1L << 20) - 2, 1L << 20, (16 << 20) - 1, 16 << 20);
        return pread(device, oneOf(0, 1, 2, 4, 4, 4, 8), (region << 40) + at);
    }

    private Step writing() {
        int device = file(Kind.DEVICE);
        if (chance(80)) {
            long at = chance(85) ? 4 : oneOf(0L, 8L, 252L, 255L, 256L, 257L, 4096L, 1L << 39);
            String value = chance(70) ? oneOfHex("0000", "0200", "0400", "0600", "0604", "0700", "00", "06", "04") : oneOfHex("", "02", "0600", "06000000");
            if (at != 4 && at < 252) {
                value = oneOfHex("ffff", "00", "ffffffff"); // a register that cannot be written
            }
            return pwrite(device, value, ((long) CONFIG << 40) + at);
        }
        long region = oneOf(0L, 3L, 4L, 6L, 8L, 9L, 100L);
        long at = chance(60) ? 4 : oneOf((1L << 20) - 4, 1L << 20, PAGE);
        return pwrite(device, oneOfHex("", "01000000"), (region << 40) + at);
    }

    /** Virtual machines and what is given to them. */
    private Step virtualMachine() {
        int into = free();
        if (into >= 0 && chance(25)) {
            return switch (random.nextInt(3)) {
                case 0 -> open(into, KVM);
                case 1 -> makeVm(into, fileOrNone(Kind.KVM));
                default -> makeVmDevice(
                        into, fileOrNone(Kind.VM), chance(90) ? KVM_DEV_TYPE_VFIO() : 9999, chance(80) ? 0 : KVM_CREATE_DEVICE_TEST());
            };
        }
        return vmAttribute(
                fileOrNone(Kind.VM_DEVICE),
                chance(85),
                chance(95) ? KVM_DEV_VFIO_FILE() : oneOf(0, 2),
                chance(95) ? oneOf(1L, 1L, 2L) : oneOf(0L, 3L, 1L << 32 | 1),
                file(chance(80) ? Kind.GROUP : pick(List.of(Kind.values()))));
    }

    /** A file of a kind, and never one of another kind: KVM's requests mean something else there. */
    private int fileOrNone(Kind kind) {
        int slot = file(kind);
        return open.containsKey(slot) && open.get(slot).kind == kind ? slot : NOT_OPEN;
    }

    /** A number that no kind of file knows, or one of another kind of file. */
    private Step unknown() {
        int slot = file(pick(List.of(Kind.CONTAINER, Kind.GROUP, Kind.DEVICE, Kind.EVENT)));
        int request = chance(50)
                ? oneOf(0x3b63, 0x3b79, 0x3b7f, 0x3b00, 0x3bff, 0x1234)
                : random.nextInt(VFIO_GET_API_VERSION(), VFIO_IOMMU_UNMAP_DMA());
        if (request == VFIO_GET_API_VERSION() || chance(30) && request != VFIO_DEVICE_RESET()) {
            return ioctl(slot, request, 0);
        }
        boolean hotReset = request == VFIO_IOMMU_GET_INFO() || request == VFIO_IOMMU_MAP_DMA();
        // Descriptor 0 is open or not as the JVM was started.
        boolean another = request == VFIO_GROUP_SET_CONTAINER() || request == VFIO_DEVICE_SET_IRQS() || request == VFIO_GROUP_GET_DEVICE_FD() || request == VFIO_SET_IOMMU() || request == VFIO_CHECK_EXTENSION();
        if (another || isSharedDevice(slot) && hotReset) {
            return ioctl(slot, 0x3b79, 0);
        }
        return ioctl(slot, request, u32(oneOf(0, 8, 12, 16, 20, 24, 32)), u32(oneOf(0, 1, 3)), u32(0), u32(0), u64(0), u64(0));
    }
}
