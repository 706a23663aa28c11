package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import io.github.vfio4j.Device;
import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.Group;
import io.github.vfio4j.IoEventFd;
import io.github.vfio4j.sim.differential.ApiProgram.Attempt;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** The API's words for {@link DeviceSteps}. */
final class DeviceWords {
    private static final int REGION_SHIFT = 40;

    /** What an eventfd writes. */
    private record Register(long offset, int width, long value) {}

    private final ApiProgram program;
    private final Map<Device, Integer> groups = new IdentityHashMap<>(); // the slot that a device was opened through
    private final Map<Device, Map<Register, IoEventFd>> ioEventFds = new IdentityHashMap<>();

    DeviceWords(ApiProgram program) {
        this.program = program;
    }

    void opened(Device device, int group) {
        groups.put(device, group);
    }

    void clear() {
        groups.clear();
        ioEventFds.clear();
    }

    /** Does a step on a device through the API. */
    Attempt attempt(IoctlStruct call, Device device) {
        List<Field> fields = call.fields();
        int size = fields.isEmpty() ? 0 : (int) ApiProgram.number(fields.getFirst());
        if (call.request() == VFIO_DEVICE_GET_PCI_HOT_RESET_INFO() && size >= 12) {
            return hotResetInfo(call, device);
        } else if (call.request() == VFIO_DEVICE_PCI_HOT_RESET() && size >= 12) {
            return hotReset(call, device);
        } else if (call.request() == VFIO_DEVICE_IOEVENTFD() && fields.size() == 6) {
            return ioEventFd(call, device);
        } else if (call.request() == VFIO_DEVICE_FEATURE() && fields.size() > 1) {
            return feature(call, device);
        }
        return ApiProgram.noWords(call);
    }

    /** The library makes room for all. */
    private static Attempt hotResetInfo(IoctlStruct call, Device device) {
        List<Field> room = new ArrayList<>(List.of(u32(12 + 8 * 8), u32(0), u32(0)));
        for (int i = 0; i < 8; i++) {
            room.add(u64(0));
        }
        Step asCall = ioctl(call.fd(), call.request(), room.toArray(Field[]::new));
        return ApiProgram.tried(asCall, () -> device.affectedByHotReset().size());
    }

    /** The device's own group is always among the groups. */
    private Attempt hotReset(IoctlStruct call, Device device) {
        Integer own = groups.get(device);
        List<Group> others = new ArrayList<>();
        for (Field field : call.fields().subList(3, call.fields().size())) {
            if (!(field instanceof Field.Descriptor(int slot) && program.handle(slot) instanceof Group group)) {
                return ApiProgram.noWords(call);
            }
            others.add(group);
        }
        if (own == null || !(program.handle(own) instanceof Group) || ApiProgram.number(call.fields().get(1)) != 0) {
            return ApiProgram.noWords(call);
        }
        Step asCall = ioctl(call.fd(), call.request(), u32(16), u32(0), u32(1), fd(own));
        return ApiProgram.tried(asCall, () -> {
            device.hotReset(others.toArray(Group[]::new));
            return "";
        });
    }

    private Attempt ioEventFd(IoctlStruct call, Device device) {
        int width = (int) ApiProgram.number(call.fields().get(1));
        long offset = ApiProgram.number(call.fields().get(2));
        long value = ApiProgram.number(call.fields().get(3));
        Register register = new Register(offset, width, value);
        Map<Register, IoEventFd> known = ioEventFds.computeIfAbsent(device, d -> new HashMap<>());
        boolean removes = call.fields().get(4).equals(u32(-1));
        if (removes && known.containsKey(register)) {
            return ApiProgram.tried(call, () -> {
                known.remove(register).close();
                return "";
            });
        }
        boolean event = call.fields().get(4) instanceof Field.Descriptor(int slot) && program.isOwn(slot);
        if (removes || !event) {
            return ApiProgram.noWords(call);
        }
        return ApiProgram.tried(call, () -> {
            known.put(register, device.region((int) (offset >>> REGION_SHIFT)).ioEventFd(offset & (1L << REGION_SHIFT) - 1, width, value));
            return "";
        });
    }

    private static Attempt feature(IoctlStruct call, Device device) {
        int flags = (int) ApiProgram.number(call.fields().get(1));
        int number = flags & VFIO_DEVICE_FEATURE_MASK();
        int ways = flags & ~VFIO_DEVICE_FEATURE_MASK();
        if (ways == VFIO_DEVICE_FEATURE_PROBE() && number < DeviceFeature.values().length) {
            return ApiProgram.tried(call, () -> device.features().has(DeviceFeature.values()[number]));
        } else if (ways == VFIO_DEVICE_FEATURE_SET() && number == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY()) {
            return ApiProgram.tried(call, () -> {
                device.features().enterLowPower();
                return "";
            });
        } else if (ways == VFIO_DEVICE_FEATURE_SET() && number == VFIO_DEVICE_FEATURE_LOW_POWER_EXIT()) {
            return ApiProgram.tried(call, () -> {
                device.features().exitLowPower();
                return "";
            });
        }
        return ApiProgram.noWords(call);
    }
}
