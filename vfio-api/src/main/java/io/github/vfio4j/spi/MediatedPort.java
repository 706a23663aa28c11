package io.github.vfio4j.spi;

import io.github.vfio4j.MediatedType;
import java.util.List;
import java.util.UUID;

/** The types of mediated devices and the devices, as sysfs shows and changes them. */
public interface MediatedPort {
    /**
     * Lists the types of all parents.
     *
     * @return the types, by parent and name
     */
    List<MediatedType> types();

    /**
     * Reads one type.
     *
     * @param parent the parent's name
     * @param name the type's name
     * @return the type
     */
    MediatedType type(String parent, String name);

    /**
     * Writes a type's {@code create}.
     *
     * @param parent the parent's name
     * @param type the type's name
     * @param device the new device's name
     */
    void create(String parent, String type, UUID device);

    /**
     * Writes a device's {@code remove}. Waits until nobody has it open.
     *
     * @param device the device's name
     */
    void remove(UUID device);
}
