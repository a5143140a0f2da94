import java.util.Map;
import org.eclipse.paho.mqttv5.client.DisconnectedBufferOptions;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttActionListener;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/** Eclipse Paho for Java, MQTT 5.0. */
final class PahoV5 {
    private static MqttActionListener then(java.util.function.Consumer<IMqttToken> done) {
        return new MqttActionListener() {
            public void onSuccess(IMqttToken token) {
                done.accept(token);
            }

            public void onFailure(IMqttToken token, Throwable error) {
                System.err.println(error);
            }
        };
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = Lines.settings(arguments);
        boolean clean = settings.get("clean").equals("1");
        MqttAsyncClient client = new MqttAsyncClient(
                "tcp://" + settings.get("host") + ":" + settings.get("port"), settings.get("id"), new MemoryPersistence());
        MqttConnectionOptions options = new MqttConnectionOptions();
        options.setUserName(settings.get("user"));
        options.setCleanStart(clean);
        options.setSessionExpiryInterval(Long.parseLong(settings.get("expiry")));
        options.setAutomaticReconnect(true);
        options.setAutomaticReconnectDelay(1, 2);
        if (settings.containsKey("will_topic")) {
            options.setWill(settings.get("will_topic"),
                    new MqttMessage(settings.get("will_payload").getBytes(), Integer.parseInt(settings.get("will_qos")), false, null));
        }
        DisconnectedBufferOptions buffer = new DisconnectedBufferOptions();
        buffer.setBufferEnabled(true);
        client.setBufferOpts(buffer);
        client.setCallback(new MqttCallback() {
            // A reconnection does not show Session Present: the session was to be kept.
            public void connectComplete(boolean again, String server) {
                if (again) Lines.say("connected", clean ? 0 : 1, 0);
            }

            public void disconnected(MqttDisconnectResponse response) {
                Lines.say("disconnected");
            }

            public void mqttErrorOccurred(MqttException exception) {
                System.err.println(exception);
            }

            public void messageArrived(String topic, MqttMessage message) {
                Lines.message(topic, message.getQos(), message.isRetained(), message.getPayload());
            }

            public void deliveryComplete(IMqttToken token) {
                Lines.say("published", token.getMessageId());
            }

            public void authPacketArrived(int reason, MqttProperties properties) {}
        });
        IMqttToken connected = client.connect(options);
        connected.waitForCompletion();
        Lines.say("connected", connected.getSessionPresent() ? 1 : 0, 0);
        Lines.obey(new Lines.Client() {
            public void subscribe(String filter, int qos) throws Exception {
                client.subscribe(filter, qos, null, then(token -> Lines.say("subscribed", token.getReasonCodes()[0])));
            }

            public void unsubscribe(String filter) throws Exception {
                client.unsubscribe(filter, null, then(token -> Lines.say("unsubscribed")));
            }

            public void publish(String topic, int qos, boolean retain, byte[] payload) throws Exception {
                client.publish(topic, payload, qos, retain);
            }
        });
        client.disconnect().waitForCompletion(2000);
        client.close();
    }
}
