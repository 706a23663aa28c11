package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.port.SysFs;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * The sysfs tree of a machine, as far as VFIO programs look at it. A look makes it anew if what it shows changed since the
 * last one.
 */
final class SimSysFs implements SysFs {
    private static final int EISDIR = 21;
    private static final int ELOOP = 40;
    private static final int MOST_LINKS = 40;
    private static final int MOST_OF_16_BITS = 0xffff;
    private static final int TOO_LONG = 4095; // for a driver and its line end: PAGE_SIZE - 1

    /** What a write to an attribute does. Called without the kernel's lock. */
    private interface Command {
        void write(String text);
    }

    private final SimMachine machine;
    private final boolean privileged;
    private List<Object> shown = List.of(); // what the tree was made of; guarded by the kernel's lock
    private Tree tree; // guarded by the kernel's lock

    /**
     * Makes a view of the tree.
     *
     * @param privileged may the viewer write?
     */
    SimSysFs(SimMachine machine, boolean privileged) {
        this.machine = machine;
        this.privileged = privileged;
    }

    @Override
    public String read(String path) throws Failure {
        return switch (tree().find(path, true)) {
            case Node.Text(Supplier<String> text) -> text.get();
            case Node.Attribute(String text, Command _) -> text;
            case Node.Command _ -> throw new Failure(Errno.EIO.number(), path);
            default -> throw new Failure(EISDIR, path);
        };
    }

    @Override
    public List<String> list(String path) throws Failure {
        return switch (tree().find(path, true)) {
            case Node.Directory(Map<String, Node> entries) -> List.copyOf(new TreeSet<>(entries.keySet()));
            default -> throw new Failure(Errno.ENOTDIR.number(), path);
        };
    }

    @Override
    public String readLink(String path) throws Failure {
        return switch (tree().find(path, false)) {
            case Node.Link(String target) -> target;
            default -> throw new Failure(Errno.EINVAL.number(), path);
        };
    }

    @Override
    public void write(String path, String text) throws Failure {
        Node node = tree().find(path, true);
        if (node instanceof Node.Directory) {
            throw new Failure(EISDIR, path);
        }
        if (!privileged) {
            throw new Failure(Errno.EACCES.number(), path);
        }
        Command command =
                switch (node) {
                    case Node.Command(Command only) -> only;
                    case Node.Attribute(String _, Command also) -> also;
                    default -> throw new Failure(Errno.EACCES.number(), path);
                };
        try {
            command.write(text);
        } catch (KernelError e) {
            throw new Failure(e.errno(), path);
        }
    }

    private PciFunction function(String name) {
        return named(name).orElseThrow(() -> new KernelError(Errno.ENODEV));
    }

    /** The function that a text names. */
    private Optional<PciFunction> named(String name) {
        return machine.functions().stream()
                .filter(function -> function.address.toString().equals(name))
                .findFirst();
    }

    private void override(PciFunction function, String text) {
        if (text.length() + 1 >= TOO_LONG) {
            throw new KernelError(Errno.EINVAL);
        }
        String driver = text.lines().findFirst().orElse("");
        machine.kernel().lock();
        try {
            function.override = driver.isEmpty() ? Optional.empty() : Optional.of(driver);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** A parameter that is yes or no, under the kernel's lock. */
    private void addSwitch(Tree tree, String path, boolean now, Consumer<Boolean> set) {
        tree.attribute(path, now ? "Y" : "N", text -> {
            boolean on = truth(text);
            machine.kernel().lock();
            try {
                set.accept(on);
            } finally {
                machine.kernel().unlock();
            }
        });
    }

    private void setVirtualFunctions(PciFunction physical, String text) {
        int number;
        try {
            number = Integer.decode(text.strip());
        } catch (NumberFormatException e) {
            number = -1;
        }
        if (number < 0 || number > MOST_OF_16_BITS) {
            throw new KernelError(Errno.EINVAL);
        }
        machine.drivers().setVirtualFunctions(physical, number);
    }

    /** What the kernel takes for yes and no (kstrtobool). */
    private static boolean truth(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        if (lower.startsWith("on") || !lower.isEmpty() && "yt1".indexOf(lower.charAt(0)) >= 0) {
            return true;
        } else if (lower.startsWith("of") || !lower.isEmpty() && "nf0".indexOf(lower.charAt(0)) >= 0) {
            return false;
        }
        throw new KernelError(Errno.EINVAL);
    }

    private Tree tree() {
        machine.kernel().lock();
        try {
            List<Object> now = state();
            if (!now.equals(shown)) {
                tree = make();
                shown = now;
            }
            return tree;
        } finally {
            machine.kernel().unlock();
        }
    }

    /** All that {@link #make} looks at and that changes. */
    private List<Object> state() {
        List<Object> state = new ArrayList<>(machine.drivers().loaded());
        state.add(machine.noIommuAllowed());
        state.add(machine.sriovAllowed());
        for (PciFunction function : machine.functions()) {
            state.add(function);
            state.add(function.override);
            state.add(function.driver());
            state.add(Optional.ofNullable(function.group));
            state.add(function.virtualFunctions);
        }
        for (VfioGroup group : machine.vfioGroups()) {
            state.add(group);
            state.add(List.copyOf(group.devices()));
            group.devices().forEach(device -> state.add(device.leaving));
        }
        return state;
    }

    private Tree make() {
        Tree tree = new Tree();
        tree.directory("/sys/bus/pci/devices");
        Drivers drivers = machine.drivers();
        tree.command("/sys/bus/pci/drivers_probe", name -> drivers.probe(named(name)));
        for (String driver : drivers.loaded()) {
            String at = "/sys/bus/pci/drivers/" + driver + "/";
            tree.command(at + "bind", name -> drivers.bindMatching(function(name), driver));
            tree.command(at + "unbind", name -> drivers.unbind(function(name), Optional.of(driver)));
        }
        tree.directory("/sys/kernel/iommu_groups");
        machine.functions().forEach(function -> add(tree, function));
        machine.mediator().kinds().forEach(kind -> addType(tree, kind));
        for (VfioGroup group : machine.vfioGroups()) {
            DeviceNumber number = DeviceNumber.group(group.minor());
            tree.link(
                    "/sys/dev/char/" + number.major() + ":" + number.minor(),
                    "../../devices/virtual/vfio/" + group.node().substring("/dev/vfio/".length()));
            for (GroupDevice device : group.devices()) {
                if (device instanceof EmulatedDevice mediated) {
                    addMediated(tree, mediated);
                }
            }
        }
        addSwitch(
                tree,
                "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
                machine.noIommuAllowed(),
                machine::allowNoIommu);
        addSwitch(
                tree,
                "/sys/module/vfio_pci/parameters/enable_sriov",
                machine.sriovAllowed(),
                machine::allowSriov);
        String parameters = "/sys/module/vfio_iommu_type1/parameters/";
        String waived = machine.unsafeInterruptsAllowed() ? "Y" : "N";
        tree.text(parameters + "allow_unsafe_interrupts", waived);
        if (machine.hasIommufd()) {
            tree.text("/sys/module/iommufd/parameters/allow_unsafe_interrupts", waived);
        }
        tree.text(parameters + "dma_entry_limit", String.valueOf(machine.dmaEntryLimit()));
        return tree;
    }

    private void add(Tree tree, PciFunction function) {
        PciAddress address = function.address;
        PciIdentity identity = function.model.identity();
        String name = address.toString();
        String home = "devices/pci" + name.substring(0, name.lastIndexOf(':')) + "/" + name;
        String at = "/sys/" + home + "/";
        tree.text(at + "vendor", () -> "0x%04x".formatted(identity.vendorId()));
        tree.text(at + "device", () -> "0x%04x".formatted(identity.deviceId()));
        tree.text(at + "subsystem_vendor", () -> "0x%04x".formatted(identity.vendorId()));
        tree.text(at + "subsystem_device", () -> "0x%04x".formatted(identity.deviceId()));
        tree.text(at + "class", () -> "0x%06x".formatted(identity.classCode()));
        tree.text(at + "revision", "0x00");
        tree.text(at + "numa_node", "-1");
        tree.attribute(at + "driver_override", function.override.orElse("(null)"), text -> override(function, text));
        tree.link(at + "subsystem", "../../../bus/pci");
        tree.link("/sys/bus/pci/devices/" + name, "../../../" + home);
        function.driver().ifPresent(driver -> {
            tree.link(at + "driver", "../../../bus/pci/drivers/" + driver);
            tree.link("/sys/bus/pci/drivers/" + driver + "/" + name, "../../../../" + home);
        });
        if (function.group != null) {
            addGroup(tree, function.group, home);
        }
        function.vfio().ifPresent(device -> addNode(tree, device, home));
        if (!function.virtual.isEmpty()) {
            tree.text(at + "sriov_totalvfs", String.valueOf(function.virtual.size()));
            tree.attribute(
                    at + "sriov_numvfs",
                    String.valueOf(function.virtualFunctions),
                    text -> setVirtualFunctions(function, text));
            for (int i = 0; i < function.virtualFunctions; i++) {
                tree.link(at + "virtfn" + i, "../" + function.virtual.get(i).address());
            }
        }
        if (function.physical != null) {
            tree.link(at + "physfn", "../" + function.physical.address);
        }
    }

    /** Adds what tells the number of a device's own node. */
    private void addNode(Tree tree, GroupDevice device, String home) {
        if (!machine.hasIommufd() || device.group.iommuGroup().type == GroupType.NO_IOMMU || device.leaving) {
            return;
        }
        DeviceNumber number = DeviceNumber.device(device.index);
        String name = "vfio" + device.index;
        String at = home + "/vfio-dev/" + name;
        String text = "%d:%d".formatted(number.major(), number.minor());
        tree.text("/sys/" + at + "/dev", text);
        tree.link("/sys/class/vfio-dev/" + name, "../../" + at);
        tree.link("/sys/dev/char/" + text, "../../" + at);
    }

    /** Adds a group and a member of it. */
    private static void addGroup(Tree tree, IommuGroup group, String home) {
        String name = home.substring(home.lastIndexOf('/') + 1);
        String up = "../".repeat(home.split("/").length);
        String path = "kernel/iommu_groups/" + group.number;
        tree.link("/sys/" + home + "/iommu_group", up + path);
        tree.link("/sys/" + path + "/devices/" + name, "../../../../" + home);
        if (group.type != GroupType.IOMMU) {
            tree.text("/sys/" + path + "/name", "vfio-noiommu"); // of mediated devices too
            return;
        }
        tree.text("/sys/" + path + "/type", "DMA-FQ");
        tree.text(
                "/sys/" + path + "/reserved_regions",
                () -> group.iommu.reserved().stream()
                        .map(range -> "0x%016x 0x%016x msi".formatted(range.first(), range.last()))
                        .collect(Collectors.joining("\n")));
    }

    /** Where a parent of mediated devices is. */
    private static String homeOf(MediatedParent parent) {
        return "devices/virtual/" + parent.name() + "/" + parent.name();
    }

    private void addType(Tree tree, Mediator.Kind kind) {
        MediatedParent parent = kind.parent();
        MediatedParent.Type type = kind.type();
        Mediator mediator = machine.mediator();
        String at = "/sys/" + homeOf(parent) + "/mdev_supported_types/" + type.name() + "/";
        tree.link("/sys/class/mdev_bus/" + parent.name(), "../../" + homeOf(parent));
        tree.text(at + "name", type.label());
        type.description().ifPresent(description -> tree.text(at + "description", description));
        tree.text(at + "available_instances", String.valueOf(mediator.available(kind)));
        tree.text(at + "device_api", parent.deviceApi());
        tree.command(at + "create", name -> mediator.create(kind, name));
        tree.directory(at + "devices");
    }

    private void addMediated(Tree tree, EmulatedDevice device) {
        String home = device.kind.map(kind -> homeOf(kind.parent())).orElse("devices/virtual/mdev") + "/" + device.name;
        addGroup(tree, device.group.iommuGroup(), home);
        if (device.leaving) {
            return;
        }
        addNode(tree, device, home);
        tree.link("/sys/bus/mdev/devices/" + device.name, "../../../" + home);
        tree.command("/sys/" + home + "/remove", text -> machine.mediator().remove(device, text));
        device.kind.ifPresent(kind -> {
            String type = "mdev_supported_types/" + kind.type().name();
            tree.link("/sys/" + home + "/mdev_type", "../" + type);
            tree.link("/sys/" + homeOf(kind.parent()) + "/" + type + "/devices/" + device.name, "../../../" + device.name);
        });
    }

    private sealed interface Node {
        record Text(Supplier<String> text) implements Node {}

        /** What can be written, and only that. */
        record Command(SimSysFs.Command command) implements Node {}

        /** What can be read and written. */
        record Attribute(String text, SimSysFs.Command command) implements Node {}

        record Link(String target) implements Node {}

        record Directory(Map<String, Node> entries) implements Node {}
    }

    private static final class Tree {
        private final Node.Directory root = new Node.Directory(new HashMap<>());

        void text(String path, String text) {
            text(path, () -> text);
        }

        /** A text that never changes and is made when it is read. */
        void text(String path, Supplier<String> text) {
            put(path, new Node.Text(text));
        }

        void command(String path, Command command) {
            put(path, new Node.Command(command));
        }

        void attribute(String path, String text, Command command) {
            put(path, new Node.Attribute(text, command));
        }

        void link(String path, String target) {
            put(path, new Node.Link(target));
        }

        Node.Directory directory(String path) {
            Node.Directory at = root;
            for (String name : names(path)) {
                at = (Node.Directory) at.entries().computeIfAbsent(name, _ -> new Node.Directory(new HashMap<>()));
            }
            return at;
        }

        private void put(String path, Node node) {
            int slash = path.lastIndexOf('/');
            directory(path.substring(0, slash)).entries().put(path.substring(slash + 1), node);
        }

        /** Walks a path as the kernel does: through links, and at its end too if they are to be followed. */
        Node find(String path, boolean follow) throws Failure {
            Deque<String> ahead = new ArrayDeque<>(names(path));
            Deque<Node.Directory> way = new ArrayDeque<>(List.of(root));
            int links = 0;
            while (!ahead.isEmpty()) {
                String name = ahead.pop();
                if (name.equals("..")) {
                    if (way.size() > 1) {
                        way.pop();
                    }
                    continue;
                }
                Node next = way.peek().entries().get(name);
                switch (next) {
                    case null -> throw new Failure(Errno.ENOENT.number(), path);
                    case Node.Directory directory -> way.push(directory);
                    case Node.Link(String target) -> {
                        if (ahead.isEmpty() && !follow) {
                            return next;
                        }
                        if (++links > MOST_LINKS) {
                            throw new Failure(ELOOP, path);
                        }
                        names(target).reversed().forEach(ahead::push);
                    }
                    case Node.Text _, Node.Command _, Node.Attribute _ -> {
                        if (!ahead.isEmpty()) {
                            throw new Failure(Errno.ENOTDIR.number(), path);
                        }
                        return next;
                    }
                }
            }
            return way.peek();
        }

        private static List<String> names(String path) {
            List<String> names = new ArrayList<>(Arrays.asList(path.split("/")));
            names.removeIf(name -> name.isEmpty() || name.equals("."));
            return names;
        }
    }
}
